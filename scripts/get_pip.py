# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Installs pip from a wheel that lies beside this file; stands in for get-pip.py.

ansible-test fills its virtual environments with a get-pip.py from a host of its own, which many networks
do not reach. It looks first for ~/.ansible/test/cache/get_pip_<version>.py, so scripts/sanity puts this file there.
Runs on every Python that ansible-test uses, from 3.6 on.
"""

import glob
import os
import sys

FOLDER = os.path.dirname(os.path.abspath(__file__))
# get-pip.py has these options, `pip install` has not.
FOREIGN = ("--no-setuptools", "--no-wheel")

arguments = [argument for argument in sys.argv[1:] if argument not in FOREIGN]
version = [argument for argument in arguments if argument.startswith("pip==")][0][len("pip=="):]
wheel = glob.glob(os.path.join(FOLDER, "pip-%s-*.whl" % version))[0]
# Set by ansible-test for its wrapper around get-pip.py; with it pip would run this file again.
os.environ.pop("GET_PIP", None)
# A wheel is a zip file, and Python runs a package inside one.
os.execv(sys.executable, [sys.executable, os.path.join(wheel, "pip"), "install", "--quiet", "--find-links", FOLDER] + arguments)
