# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lets the Python processes that tests start find the collection too; pytest.ini does it for the tests themselves."""

import os

HERE = os.path.dirname(os.path.abspath(__file__))
COLLECTIONS = os.path.join(HERE, "..", "..", ".cache", "collections")

os.environ.setdefault("PYTHONPATH", os.path.abspath(COLLECTIONS))
