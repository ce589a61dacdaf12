/* A 64-bit program that also calls the kernel through the 32-bit gate. */
#include "ledger.h"

static char path[] = "/dev/null";

static long old_call(long number, long a, long b) {
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b) : "memory", "r8", "r9", "r10", "r11");
    return (int)result;
}

int main(void) {
    await_tracer();
    int fd = made("open", old_call(5, (long)path, O_RDONLY));
    ended("close", old_call(6, fd, 0), fd);
    fd = made("openat", open(path, O_RDONLY));
    ended("close", close(fd), fd);
    finish();
}
