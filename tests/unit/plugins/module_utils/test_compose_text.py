# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Of a compose file leaves the host what says how services are reached: no environment, label, comment or secret, however it is written."""

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils import _compose_text, _text

FILE = """\
# hunter2
version: "3.9"
x-common: &common
  environment: {A: hunter2}
services:
  web:   # hunter2
    image: nginx:1.22
    ports:
      - "80:80" # hunter2
    networks: [front]
    labels:
      ports: hunter2
    environment:
    - SECRET=hunter2
    - ports
    volumes:
    - ./conf:/etc/nginx/conf.d:ro
  app:
    environment:
      TEXT: |
        hunter2
        ports:
          - hunter2
      ports: hunter2
    command: ["gunicorn", "-b", "127.0.0.1:3000"]
    healthcheck:
      test: curl -u user:hunter2 http://localhost/
    "expose":
      - 3000
networks:
  front:
    driver: bridge
secrets:
  one: {environment: hunter2}
"""
SHOWN = """\
#
version: "3.9"


services:
  web:   #
    image: nginx:1.22
    ports:
      - "80:80" #
    networks: [front]
    labels:

    environment:


    volumes:
    - ./conf:/etc/nginx/conf.d:ro
  app:
    environment:





    command: ["gunicorn", "-b", "127.0.0.1:3000"]
    healthcheck:

    "expose":
      - 3000
networks:
  front:
    driver: bridge


"""


def shown(text):
    return _compose_text.shown(text, _text.Redactor("key"))


def test_every_line_keeps_its_number_and_what_may_be_a_secret_is_gone():
    assert shown(FILE) == SHOWN


def test_ends_of_lines_stay():
    assert shown(FILE.replace("\n", "\r\n")) == SHOWN.replace("\n", "\r\n")


@pytest.mark.parametrize("command", [
    "command: serve --password hunter2 --host 127.0.0.1",
    "command: [serve, --token, hunter2, --host, 127.0.0.1]",
    'command: ["serve", "--host=127.0.0.1", "--token=hunter2"]',
    "command: hunter2",
    "command: |\n      serve 127.0.0.1 hunter2",
    "command: >-\n      serve\n      hunter2",
    "command: [serve,\n      hunter2, 127.0.0.1]",
    "command:\n      - serve\n      - hunter2\n      - --host=127.0.0.1",
    "command:\n      - serve --password=hunter2 --host=127.0.0.1",
])
def test_of_a_command_the_words_that_say_where_it_listens_alone(command):
    text = "services:\n  app:\n    {0}\n    ports:\n      - 80\n".format(command)
    assert "hunter2" not in shown(text)
    assert shown(text).endswith("    ports:\n      - 80\n") and shown(text).count("\n") == text.count("\n")


@pytest.mark.parametrize("text", [
    "root:hunter2:19000:0:99999:7:::\n",
    '{"services": {"app": {"environment": {"A": "hunter2"}}}}\n',
    "services: {app: {environment: {A: hunter2}}}\n",
    "services:\n  app: {environment: {A: hunter2},\n    ports: [80, hunter2]}\n",
    "services:\n  app:\n    environment: {\n      A: hunter2\n    }\n",
    "services:\n  app:\n    ? environment\n    : {A: hunter2}\n",
    "services:\n  app:\n    environment: &a\n      A: hunter2\n  b:\n    environment: *a\n",
    "services:\n  app:\n\tenvironment:\n\t\tA: hunter2\n",
    "configs:\n  one:\n    content: |\n      hunter2\n      services:\n        app:\n          image: hunter2\n",
    "services:\n  app:\n    build:\n      args:\n        - A=hunter2\n    ports: [80]\n",
    "services:\n  app:\n    logging:\n      options:\n        token: hunter2\n",
    "services:\n  app:\n    volumes:\n      - https://me:hunter2@example/\n",
])
def test_what_is_not_known_is_left_out(text):
    assert "hunter2" not in shown(text)
    assert shown(text).count("\n") == text.count("\n")
