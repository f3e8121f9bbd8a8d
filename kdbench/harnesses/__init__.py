"""Built-in tasks for lm-eval, one file each: file name = function name = the name in a suite."""
