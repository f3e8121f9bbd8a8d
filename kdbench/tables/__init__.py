"""Files of columns (Parquet, CSV, NPZ, JSON lines), read strictly: what is in a cell is what is kept, and what is doubtful is
refused in one line with its place. What the columns mean is said elsewhere.
"""
