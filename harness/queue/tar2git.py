#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""A plain tar archive of a kernel on stdin -> the commit 'base' for git fast-import.

usage: tar2git.py REF STRIP [ONLY]    STRIP: leading path components to drop
                                      ONLY: a file with the paths to take, a line each
"""
import re
import sys
import tarfile

ref, strip = sys.argv[1], int(sys.argv[2])
only = None
if len(sys.argv) > 3:
    with open(sys.argv[3], encoding='utf-8') as f:
        only = {'Makefile', *f.read().split('\n')}
out = sys.stdout.buffer


class Stdin:
    """What tarfile reads from, which remembers the end: tarfile takes an archive that
    was cut off between two files for a whole one."""
    end = b''

    def read(self, size):
        data = sys.stdin.buffer.read(size)
        self.end = (self.end + data)[-1024:] if len(data) < 1024 else data[-1024:]
        return data


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
archive = Stdin()
try:
    with tarfile.open(fileobj=archive, mode='r|', bufsize=1 << 20) as tar:
        for m in tar:
            tar.members = []        # do not remember 85000 of them
            path = '/'.join([p for p in m.name.split('/') if p != '.'][strip:])
            if not path or m.isdir() or only and path not in only:
                continue
            if m.issym():
                put(0o120000, path, m.linkname.encode())
                continue
            if not m.isreg():
                stop(f'{m.name} in the archive is neither file, folder nor symlink')
            data = tar.extractfile(m).read()
            if path == 'Makefile':
                version = re.findall(rb'^(?:VERSION|PATCHLEVEL) *= *(\d+)', data, re.M)
                if version != [b'6', b'12'] and [int(n) for n in version] < [7, 3]:
                    stop('the base is neither a Linux 6.12 tree nor a 7.3 or later one: its Makefile says '
                         + (b'.'.join(version).decode() or 'no version'))
            # Debian's hides every file that is not there yet: a new one would go unseen.
            if path == '.gitignore' and b'/*' in data.splitlines():
                continue
            put(0o100755 if m.mode & 0o100 else 0o100644, path, data)
            files += 1
            if files % 20000 == 0:
                print(f'  {files} files', file=sys.stderr)
    while archive.read(1 << 20):
        pass
except BrokenPipeError:
    sys.exit(3)         # git has stopped, harness/queue/base says so
except (tarfile.TarError, EOFError, OSError) as e:
    stop(f'the base is not a tar archive, or a broken one ({e})')
if archive.end.strip(b'\0'):
    stop('the base is a tar archive without its end: truncated')
if not version:
    stop('the base is not a Linux 6.12 tree: it has no Makefile')
out.write(b'done\n')
