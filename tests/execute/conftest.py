"""The toy stages are a package of their own, named to the pool by `Site.stages`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
