#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""A tar archive of a 6.12.y kernel on stdin -> the commit 'base' for git fast-import.

usage: tar2git.py REF STRIP    STRIP: leading path components to drop
"""
import lzma
import re
import sys
import tarfile
import zlib

ref, strip = sys.argv[1], int(sys.argv[2])
out = sys.stdout.buffer


def stop(msg):
    sys.exit('base: error: ' + msg)


def put(mode, path, data):
    out.write(b'M %o inline %s\ndata %d\n' % (mode, path.encode(), len(data)))
    out.write(data + b'\n')


# The date is any fixed one: the same files give the same commit.
out.write(b'feature done\n'
          b'commit %s\n'
          b'committer base <base@invalid> 1700000000 +0000\n'
          b'data 5\nbase\n\n' % ref.encode())
files, version = 0, None
try:
    with tarfile.open(fileobj=sys.stdin.buffer, mode='r|*') as tar:
        for m in tar:
            tar.members = []        # do not remember 85000 of them
            path = '/'.join([p for p in m.name.split('/') if p != '.'][strip:])
            if not path or m.isdir():
                continue
            if m.issym():
                put(0o120000, path, m.linkname.encode())
                continue
            if not m.isreg():
                stop(f'{m.name} in the archive is neither file, folder nor symlink')
            data = tar.extractfile(m).read()
            if path == 'Makefile':
                version = re.findall(rb'^(?:VERSION|PATCHLEVEL) *= *(\d+)', data, re.M)
                if version != [b'6', b'12']:
                    stop('the base is not a Linux 6.12 tree: its Makefile says '
                         + (b'.'.join(version).decode() or 'no version'))
            # Debian's hides every file that is not there yet: a new one would go unseen.
            if path == '.gitignore' and b'/*' in data.splitlines():
                continue
            put(0o100755 if m.mode & 0o100 else 0o100644, path, data)
            files += 1
            if files % 10000 == 0:
                print(f'  {files} files', file=sys.stderr)
except BrokenPipeError:
    sys.exit(3)         # git has stopped, harness/base says so
except (tarfile.TarError, lzma.LZMAError, zlib.error, EOFError, OSError) as e:
    stop(f'the base is not a tar archive, or a broken one ({e})')
if not version:
    stop('the base is not a Linux 6.12 tree: it has no Makefile')
out.write(b'done\n')
