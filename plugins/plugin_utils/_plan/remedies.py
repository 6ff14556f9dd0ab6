# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The remedies, each a role of the same name, in the order in which a host needs them.

This module is private to the collection.
"""

from __future__ import annotations

# What a remedy needs comes before it: folders of nginx, then owners of endpoints, then where nginx goes, whether it may, how it
# speaks there, and how much it waits and takes. nginx itself is loaded anew, or started, last.
ORDER = (
    "temp_path_owner",
    "unit_order",
    "start_backend",
    "fpm_listen",
    "repoint_upstream",
    "upstream_scheme",
    "upstream_uri",
    "upstream_resolver",
    "socket_access",
    "upstream_tls",
    "websocket_headers",
    "upstream_group",
    "upstream_keepalive",
    "response_buffers",
    "uwsgi_buffer",
    "upstream_timeout",
    "backend_timeout",
    "backend_workers",
    "rate_limit",
    "response_cache",
    "nginx_limits",
    "reload_nginx",
    "start_nginx",
)
