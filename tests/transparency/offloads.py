#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""offloads.py LINK on|off: what ethtool -K LINK tso|gso|gro|tx does, where ethtool is not installed."""
import array
import fcntl
import socket
import struct
import sys

SIOCETHTOOL = 0x8946
STXCSUM, STSO, SGSO, SGRO = 0x17, 0x1F, 0x24, 0x2C


def main():
    link, value = sys.argv[1], int(sys.argv[2] == "on")
    # Segmentation needs checksums: off last, on first.
    order = [STXCSUM, SGSO, STSO, SGRO] if value else [STSO, SGSO, SGRO, STXCSUM]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        for command in order:
            setting = array.array("B", struct.pack("II", command, value))
            request = struct.pack("16sP", link.encode(), setting.buffer_info()[0])
            fcntl.ioctl(any_socket, SIOCETHTOOL, request)


main()
