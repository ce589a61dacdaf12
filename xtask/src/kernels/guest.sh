#!/bin/sh
# What runs in the machine that `cargo xtask kernels` starts: each feature between @begin and @end with its exit code, all
# on the console. It judges nothing; src/kernels.rs does.
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmp /tmp
mount -t tracefs tracefs /sys/kernel/tracing 2>/dev/null
chmod 1777 /tmp
export PATH=/bin HOME=/tmp LD_LIBRARY_PATH=/lib
cd /tmp
ifconfig lo 127.0.0.1 up

run() { # run NAME COMMAND…: reports of a megabyte would take a serial line minutes
    name=$1
    shift
    "$@" >/tmp/out 2>/tmp/err
    code=$?
    echo "@begin $name"
    head -c 20000 /tmp/out
    echo
    head -c 3000 /tmp/err
    echo
    echo "@end $name $code"
}

feed() { # feed FIXTURE…: one that works on its own until the machine is switched off
    (echo "go 100" && sleep 10000) | "$@" >/dev/null 2>&1 &
}

echo "@kernel $(uname -r)"
feed /fixtures/leaky
feed /fixtures/healthy
feed /fixtures/threads mode=leak
feed /fixtures/uring
sleep 1
run doctor fdscope doctor
run leak fdscope leak --source bpf --duration 20 --json "$(pidof leaky)"
run healthy fdscope leak --source bpf --duration 20 --json "$(pidof healthy)"
run threads fdscope leak --source bpf --duration 10 --json "$(pidof threads)"
run uring fdscope leak --source bpf --duration 5 --json "$(pidof uring)"
run auto fdscope leak --duration 5 --json "$(pidof leaky)"
run ptrace fdscope leak --source ptrace --duration 20 --json "$(pidof leaky)"
run poll fdscope leak --source poll --duration 20 --json "$(pidof leaky)"
run ls-bpf fdscope ls --source bpf "$(pidof threads)"
run ls-proc fdscope ls --source proc "$(pidof threads)"
run trace fdscope trace -f -e trace=openat,close sh -c 'cat /etc/passwd; true'
run trace-all fdscope trace -f sh -c 'cat /etc/passwd; true'
fdscope capture -i lo -n -c 2 >/tmp/packets 2>&1 &
sleep 2
echo x | nc 127.0.0.1 99 2>/dev/null
sleep 2
run capture cat /tmp/packets
run nobody su nobody -c 'fdscope leak --source bpf -- true'
poweroff -f
