# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the booleans and labels of SELinux's policies let nginx do, as their sources have it.

Which boolean would allow what is denied, a host is asked; this says what else that opens, which one is meant for the purpose, and stands
in where a host could not tell. The two families name things differently:

- fedora: github.com/fedora-selinux/selinux-policy, policy/modules/contrib/apache.te of the branches c9s, c10s and rawhide, nis.if
- refpolicy: github.com/SELinuxProject/refpolicy, policy/modules/services/apache.te of RELEASE_2_20221101, which Debian 12 has; what each boolean
  opens there was also asked of the kernel of such a host, type by type

This module is private to the collection.
"""

from __future__ import annotations

from dataclasses import dataclass

FEDORA, REFPOLICY = "fedora", "refpolicy"
_FAMILIES = {
    **dict.fromkeys(("rhel", "centos", "rocky", "almalinux", "fedora", "ol", "eurolinux", "virtuozzo"), FEDORA),
    **dict.fromkeys(("debian", "ubuntu"), REFPOLICY),
}

# The domain of nginx in both families, and the label of ports that it may listen on without more ado.
NGINX = "httpd_t"
WEB_PORT = "http_port_t"
# Domains of programs that the policy does not confine: they may bind every port. A service without a policy of its own runs in the second or third.
UNCONFINED = ("unconfined_t", "unconfined_service_t", "initrc_t", "init_t", "kernel_t")
# The label of sockets that nginx and PHP-FPM make and use under /run; refpolicy renamed it in September 2019, and knows the old name too.
SOCKETS = {REFPOLICY: "httpd_runtime_t", FEDORA: "httpd_var_run_t"}

_WEB = "the ports of web servers (http_port_t: 80, 443, 488, 8008, 8009, 8443)"
_EVERY = "any"


@dataclass(frozen=True)
class Boolean:
    """What a boolean opens.

    name      as the policy has it
    opens     in words that follow "lets every program in httpd_t"
    families  the policies that have it
    types     types of ports that it lets nginx connect to; ("any",) for all
    since     the first versions that have it, where not all do
    meant     it is made for a gateway or its backend; else it opens the port beside what it is for, and a person has to choose it
    """

    name: str
    opens: str
    families: tuple[str, ...]
    types: tuple[str, ...] = ()
    since: str = ""
    meant: bool = True

    def fits(self, kind: str) -> bool:
        """Return whether it lets nginx connect to ports of a type."""
        return kind in self.types or self.types == (_EVERY,)

    @property
    def wide(self) -> bool:
        """Return whether it opens every port."""
        return self.types == (_EVERY,)


_BOTH = (FEDORA, REFPOLICY)
_DATABASES = ("gds_db_port_t", "mssql_port_t", "mysqld_port_t", "postgresql_port_t")

# The narrow before the wide: of several that would do, the first is taken.
BOOLEANS = {
    item.name: item
    for item in (
        Boolean("httpd_graceful_shutdown", f"connect to {_WEB}", _BOTH, ("http_port_t",)),
        Boolean("httpd_can_network_memcache", "connect to memcached (11211)", (FEDORA,), ("memcache_port_t",)),
        Boolean("httpd_can_network_connect_memcache", "connect to memcached (11211)", (REFPOLICY,), ("memcache_port_t",)),
        Boolean("httpd_can_network_redis", "connect to Redis (6379, 16379, 26379)", (FEDORA,), ("redis_port_t",), "Fedora 39, RHEL 10"),
        Boolean("httpd_can_connect_ldap", "connect to LDAP (389, 636, 3268, 3269)", (FEDORA,), ("ldap_port_t",)),
        Boolean("httpd_can_network_connect_ldap", "connect to LDAP (389, 636, 3268, 3269)", (REFPOLICY,), ("ldap_port_t",)),
        Boolean("httpd_can_connect_mythtv", "connect to MythTV (6543, 6544)", (FEDORA,), ("mythtv_port_t",)),
        Boolean("httpd_can_connect_zabbix", "connect to Zabbix (10051)", (FEDORA,), ("zabbix_port_t",)),
        Boolean("httpd_can_network_connect_zabbix", "connect to Zabbix (10051)", (REFPOLICY,), ("zabbix_port_t",)),
        Boolean(
            "httpd_can_network_connect_db",
            "connect to databases (MySQL, PostgreSQL, SQL Server, Oracle, Firebird; in Fedora's policy MongoDB too)",
            _BOTH,
            (*_DATABASES, "oracle_port_t", "oracledb_port_t", "mongod_port_t"),
        ),
        Boolean(
            "httpd_can_network_relay",
            f"connect to {_WEB}, of web caches and proxies (8080, 8118, 3128), of FTP and gopher; in Fedora's policy to memcached and the ports"
            " from 32768 to 60999 too",
            _BOTH,
            ("http_port_t", "http_cache_port_t", "squid_port_t", "gopher_port_t", "ftp_port_t", "memcache_port_t", "ephemeral_port_t"),
        ),
        Boolean("httpd_can_network_connect", "connect to any TCP port, of this host and of others", _BOTH, (_EVERY,)),
        Boolean("httpd_can_connect_ftp", "connect to FTP and to all ports from 32768 to 60999", (FEDORA,), ("ftp_port_t", "ephemeral_port_t"), meant=False),
        Boolean("httpd_can_sendmail", "send mail, and connect to SMTP and POP", _BOTH, ("smtp_port_t", "pop_port_t"), meant=False),
        Boolean("httpd_use_openstack", "connect to OpenStack and to all ports from 32768 to 60999", (FEDORA,), ("ephemeral_port_t",), meant=False),
        Boolean("nis_enabled", "and nearly every other program listen on and connect to most ports, for NIS", (FEDORA,), meant=False),
        Boolean("allow_ypbind", "and nearly every other program listen on and connect to most ports, for NIS", (REFPOLICY,), meant=False),
        Boolean("authlogin_nsswitch_use_ldap", "and every other program that looks users up connect to LDAP", _BOTH, ("ldap_port_t",), meant=False),
        Boolean("httpd_enable_homedirs", "look into the homes of users, and read what they publish there", _BOTH),
        Boolean("httpd_read_user_content", "read the files in the homes of users", _BOTH),
    )
}


def family_of(system: str) -> str:
    """Return the family of the policy of a system, by the ID of os-release(5); "" where that is not known."""
    return _FAMILIES.get(system, "")


def named_for(kind: str, family: str) -> tuple[Boolean, ...]:
    """Return the booleans that let nginx connect to ports of a type by the source of a policy, the narrow before the wide."""
    return tuple(item for item in BOOLEANS.values() if family in item.families and item.meant and item.fits(kind))
