"""Built-in tokenizers, one file each: file name = function name = the name in a suite."""
