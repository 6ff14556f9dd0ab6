# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The version of the collection; a test holds it against galaxy.yml.

This module is private to the collection.
"""

from __future__ import annotations

VERSION = "0.4.0"
