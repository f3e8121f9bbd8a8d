"""Built-in metrics, one file each: file name = function name = the name in a suite."""
