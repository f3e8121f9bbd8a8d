/* LD_PRELOAD: the N-th write() or pwrite() to a file below a folder writes half of its bytes, and the process group dies.

   KDBENCH_FAULT_UNDER  the folder             KDBENCH_FAULT_COUNT  one byte is appended to this file per call
   KDBENCH_TORN_AT      N; unset: only count
*/
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static __thread int inside;

static int below(int file) {
    const char *folder = getenv("KDBENCH_FAULT_UNDER");
    char link[64], path[PATH_MAX];
    if (!folder) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return strncmp(path, folder, strlen(folder)) == 0;
}

/* Whether this call is the one to tear. */
static int due(int file) {
    const char *count = getenv("KDBENCH_FAULT_COUNT"), *at = getenv("KDBENCH_TORN_AT");
    if (inside || !count || !below(file)) return 0;
    inside = 1;
    struct stat facts = {0};
    int counter = open(count, O_CREAT | O_APPEND | O_WRONLY | O_CLOEXEC, 0600);
    if (counter >= 0) {
        ssize_t (*real)(int, const void *, size_t) = dlsym(RTLD_NEXT, "write");
        real(counter, ".", 1);
        fstat(counter, &facts);
        close(counter);
    }
    inside = 0;
    return at && facts.st_size == atol(at);
}

static void die(void) {
    kill(0, SIGKILL);
    for (;;) pause();
}

ssize_t write(int file, const void *bytes, size_t length) {
    ssize_t (*real)(int, const void *, size_t) = dlsym(RTLD_NEXT, "write");
    if (length && due(file)) {
        real(file, bytes, length / 2);
        die();
    }
    return real(file, bytes, length);
}

ssize_t pwrite(int file, const void *bytes, size_t length, off_t place) {
    ssize_t (*real)(int, const void *, size_t, off_t) = dlsym(RTLD_NEXT, "pwrite");
    if (length && due(file)) {
        real(file, bytes, length / 2, place);
        die();
    }
    return real(file, bytes, length, place);
}
