"""``python -m xconv_bench``."""

import sys

from xconv_bench.cli import main

if __name__ == "__main__":
    sys.exit(main())
