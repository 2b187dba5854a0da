# This folder is no mount, so that being allowed to try does nothing.
REMOUNT_BIND = 0x20 | 0x1000
held(refused("mount", b"none", b".", None, REMOUNT_BIND, None))
