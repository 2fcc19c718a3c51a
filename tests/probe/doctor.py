#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""perfscope doctor against what other tools, files and trials say about the same kernel.

usage: doctor.py PERFSCOPE
"""
import ctypes
import json
import os
import resource
import shutil
import struct
import subprocess
import sys
import tempfile
import time

import probe_test

counts = probe_test.Counts('doctor-probe')
check, skip = counts.check, counts.skip


def run(*command, **keywords):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **keywords)


def read(path):
    try:
        with open(path) as f:
            return f.read()
    except OSError:
        return None


class Doctor:
    """One run; answers by group and name."""

    def __init__(self, *prefix):
        self.run = run(*prefix, perfscope, 'doctor', '--format', 'json', env=dict(os.environ, HOME='/'))
        self.report = json.loads(self.run.stdout)
        self.checks = {(c['group'], c['name']): c for c in self.report['checks']}

    def status(self, group, name):
        return self.checks[group, name]['status']

    def works(self, group, name):
        return self.status(group, name) == 'works'


def agree_on(doctor, features, rows):
    for group, name, known in rows:
        says = doctor.works(group, name)
        check(says == known, f'{group} {name}: doctor says {doctor.status(group, name)}, {features} says {known}')


def bpf_objects():
    return {kind: run('bpftool', kind, 'list').stdout for kind in ('prog', 'map', 'link')}


def check_nothing_left(before):
    """The kernel frees programs a moment after the last reference is gone."""
    for _ in range(50):
        left = [line for text in bpf_objects().values() for line in text.splitlines() if 'perfscope_try' in line]
        links = bpf_objects()['link'].count('\n')
        if not left and links <= before:
            break
        time.sleep(0.1)
    check(not left, f'left behind: {left}')
    check(links <= before, 'a link is left behind')


def check_bpftool(doctor):
    features = json.loads(run('bpftool', '-j', 'feature', 'probe', 'kernel').stdout)
    programs, maps, helpers = features['program_types'], features['map_types'], features['helpers']
    raw = helpers['raw_tracepoint_available_helpers']
    agree_on(doctor, 'bpftool', [
        ('program', 'raw_tracepoint', programs['have_raw_tracepoint_prog_type']),
        ('program', 'perf_event', programs['have_perf_event_prog_type']),
        ('program', 'syscall', programs.get('have_syscall_prog_type', False)),
        ('map', 'hash', maps['have_hash_map_type']),
        ('map', 'LRU hash', maps['have_lru_hash_map_type']),
        ('map', 'per-CPU array', maps['have_percpu_array_map_type']),
        ('map', 'ring buffer', maps['have_ringbuf_map_type']),
        ('map', 'task storage', maps['have_task_storage_map_type']),
        ('map', 'stack trace', maps['have_stack_trace_map_type']),
        ('helper', 'bpf_ktime_get_ns', 'bpf_ktime_get_ns' in raw),
        ('helper', 'bpf_loop', 'bpf_loop' in raw),
    ])


def loads(section, folder):
    """Compiled by clang and loaded by bpftool, in a mount namespace that takes the pin with it."""
    source, target = f'{folder}/try.c', f'{folder}/try.o'
    with open(source, 'w') as f:
        f.write(f'__attribute__((section("{section}"), used)) int once(void *ctx) {{ return 0; }}\n'
                '__attribute__((section("license"), used)) char _license[] = "GPL";\n')
    subprocess.run(['clang', '-O2', '-g', '-target', 'bpf', '-c', source, '-o', target], check=True)
    script = f'mount -t bpf none {folder}/pin && bpftool prog load {target} {folder}/pin/once'
    return run('unshare', '-m', 'sh', '-c', script).returncode == 0


def tracefs(command):
    return run('unshare', '-m', 'sh', '-c', f'mount -t tracefs none /mnt && cd /mnt && {command}').stdout


def check_programs(doctor):
    kprobes = os.path.exists('/sys/bus/event_source/devices/kprobe/type')
    lenient = doctor.checks['setting', 'lockdown']['detail'] != 'confidentiality'
    agree_on(doctor, '/sys', [('program', 'kprobe', kprobes and lenient),
                              ('program', 'uprobe', os.path.exists('/sys/bus/event_source/devices/uprobe/type'))])
    if not shutil.which('clang'):
        return skip('clang is not installed')
    if not tracefs('ls events'):
        return skip('tracefs shows nothing')
    check(doctor.works('program', 'tracepoint'), 'classic tracepoints need only tracefs')
    patchable = 'vfs_fsync_range\n' in tracefs('cat available_filter_functions')
    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(folder + '/pin')
        agree_on(doctor, 'a compiled program', [
            ('program', 'tracing (tp_btf)', loads('tp_btf/sched_switch', folder)),
            ('program', 'fentry', patchable and loads('fentry/vfs_fsync_range', folder)),
            ('program', 'fexit', patchable and loads('fexit/vfs_fsync_range', folder)),
        ])


def check_hooks(doctor):
    """The events that tracefs lists; a hook of this kernel that is not listed there does not exist."""
    listing = tracefs('ls -d events/*/*/')
    if not listing:
        return skip('tracefs shows nothing')
    events = {line.rstrip('/').rsplit('/', 1)[1] for line in listing.split()} | {'sys_enter', 'sys_exit'}
    for group, name in doctor.checks:
        if group == 'hook':
            says = doctor.status(group, name) in ('works', 'fallback')
            check(says == (name in events), f'hook {name}: doctor says {doctor.status(group, name)}')


def opens_cycles():
    """perf_event_open() by hand: type hardware, 112 bytes of attributes, config cycles, disabled."""
    number = {'x86_64': 298, 'aarch64': 241}.get(os.uname().machine)
    if not number:
        return None
    attributes = struct.pack('=IIQ', 0, 112, 0).ljust(40, b'\0') + struct.pack('=Q', 1).ljust(72, b'\0')
    fd = ctypes.CDLL(None).syscall(number, attributes, -1, 0, -1, 0)
    if fd >= 0:
        os.close(fd)
    return fd >= 0


def check_events(doctor):
    check(doctor.works('event', 'cpu-clock'), 'cpu-clock is everywhere')
    cycles = opens_cycles()
    if cycles is None:
        return skip('the number of perf_event_open is not known here')
    agree_on(doctor, 'perf_event_open', [('event', 'cycles', cycles)])


def check_files(doctor):
    types = os.access('/sys/kernel/btf/vmlinux', os.R_OK)
    config = run('zcat', '/proc/config.gz').stdout or read(f'/boot/config-{os.uname().release}') or ''
    status = dict(line.split(':\t', 1) for line in read('/proc/self/status').splitlines() if ':\t' in line)
    held = int(status['CapEff'], 16)
    psi = all(read(f'/proc/pressure/{kind}') for kind in ('cpu', 'memory', 'io'))
    named = any(int(line.split()[0], 16) for line in read('/proc/kallsyms').splitlines()[:100])
    agree_on(doctor, 'a file', [
        ('kernel', 'BTF', types), ('setting', 'PSI', psi), ('setting', 'kallsyms', named),
        ('capability', 'CAP_SYS_PTRACE', bool(held >> 19 & 1)), ('capability', 'CAP_NET_ADMIN', bool(held >> 12 & 1)),
        ('capability', 'CAP_SYSLOG', bool(held >> 34 & 1) or bool(held >> 21 & 1)),
    ])
    if config and 'CONFIG_KPROBES=y' not in config:
        check('CONFIG_KPROBES' in doctor.checks['program', 'kprobe']['detail'], 'why kprobes do not work')
    lockdown = read('/sys/kernel/security/lockdown')
    mode = lockdown.split('[')[1].split(']')[0] if lockdown else None
    forced = [m for m in ('INTEGRITY', 'CONFIDENTIALITY') if f'CONFIG_LOCK_DOWN_KERNEL_FORCE_{m}=y' in config]
    expected = mode or (forced[0].lower() if forced else None)
    if expected:
        check(expected in doctor.checks['setting', 'lockdown']['detail'], f'lockdown is {expected}')
    versions = {line.split()[2] for line in read('/proc/mounts').splitlines()} & {'cgroup', 'cgroup2'}
    agree_on(doctor, '/proc/mounts', [('kernel', 'release', True), ('cgroup', 'cgroup version', versions == {'cgroup2'})])


def check_frames(doctor):
    """Counts pushes of the frame pointer in the whole library, not at its exported functions alone."""
    detail = doctor.checks['symbol', 'libc frame pointers']['detail']
    if not shutil.which('objdump') or not detail.startswith('/'):
        return skip('objdump is not installed, or there is no C library')
    code = run('objdump', '-d', '--no-show-raw-insn', detail.split()[0]).stdout
    if os.uname().machine != 'x86_64' or not code:
        return skip('frame pointers are counted on x86_64 only')
    share = sum('mov    %rsp,%rbp' in line for line in code.splitlines()) / max(1, code.count('>:\n'))
    agree_on(doctor, 'objdump', [('symbol', 'libc frame pointers', share > 0.3)])


def check_runtimes():
    """A program that only calls itself node, without and with a map; its name comes from its file."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(shutil.which('sleep'), folder + '/node')
        node = subprocess.Popen([folder + '/node', '60'])
        path = f'/tmp/perf-{node.pid}.map'
        try:
            time.sleep(0.1)
            maps = Doctor().checks['symbol', 'perf maps']
            check(maps['status'] == 'missing' and '--perf-basic-prof' in maps['mend'], 'node without a map')
            known = 'more' in maps['detail'] or f'node {node.pid}' in maps['detail']
            check(known, f'node {node.pid} is named: {maps["detail"]}')
            open(path, 'w').close()
            detail = Doctor().checks['symbol', 'perf maps']['detail']
            check(f'node {node.pid}' not in detail, 'node with a map is not named')
        finally:
            node.kill()
            node.wait()
            if os.path.exists(path):
                os.unlink(path)


def check_users():
    nobody = ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups']
    powerless = Doctor(*nobody)
    check(powerless.run.returncode == 2 and not powerless.report['can_record'], 'an ordinary user cannot record')
    check('sudo' in powerless.run.stderr, 'stderr says how to mend it')
    check(powerless.status('program', 'perf_event') == 'untried', 'an ordinary user could not try')
    caps = '+bpf,+perfmon'
    granted = Doctor(*nobody, '--inh-caps=' + caps, '--ambient-caps=' + caps, '--bounding-set=-all,' + caps)
    check(granted.works('program', 'tracing (tp_btf)'), 'CAP_BPF and CAP_PERFMON suffice for tracing')
    check(granted.status('program', 'uprobe') in ('untried', 'works'), 'uprobes want more')
    if int(read('/proc/sys/kernel/perf_event_paranoid')) <= 2:
        check(granted.run.returncode == 0 and granted.report['can_record'], 'CAP_BPF and CAP_PERFMON suffice')
    else:
        check(granted.run.returncode == 2 and 'perf_event_paranoid=2' in granted.run.stderr,
              'a level of perf_event_paranoid that only Debian has stands in the way, and is named')


def cpu_seconds():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def check_time():
    """Without its own work, which an emulated machine makes long: what remains is waiting for the kernel."""
    start, used = time.monotonic(), cpu_seconds()
    doctor = Doctor()
    took = time.monotonic() - start - (cpu_seconds() - used)
    check(took < 2, f'takes less than two seconds: {took:.1f}')
    return doctor


def check_cost():
    report = json.loads(run(perfscope, 'doctor', '--cost', '--format', 'json').stdout)
    costs = {c['name']: c for c in report['costs']}
    check(report['schema'] == 'perfscope.cost/1' and 2 < report['duration_s'] < 30, 'what watching costs is looked at for three seconds')
    switches = costs['context switches']
    check(switches['runs'] > 0 and (switches['ns'] is None or 0 < switches['ns'] / switches['runs'] < 100000),
          f'hooks at switches ran, and took nanoseconds: {switches}')
    check(0 < costs["perfscope's own processes"]['percent'] < 100, 'its own processes took a part of a CPU')


def main():
    if os.geteuid() != 0 or not shutil.which('bpftool'):
        skip('needs root and bpftool')
        return counts.end()
    links = bpf_objects()['link'].count('\n')
    doctor = check_time()
    check(doctor.run.returncode == (0 if doctor.report['can_record'] else 2), 'the exit status tells')
    check_nothing_left(links)
    check_bpftool(doctor)
    check_programs(doctor)
    check_hooks(doctor)
    check_events(doctor)
    check_files(doctor)
    check_frames(doctor)
    check_runtimes()
    check_users()
    check_cost()
    return counts.end()


perfscope = sys.argv[1] if len(sys.argv) > 1 else 'perfscope'
sys.exit(main())
