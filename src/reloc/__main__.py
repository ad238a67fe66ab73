"""``python -m reloc``."""

import sys

from reloc.cli.main import main

sys.exit(main())
