/* Makes and ends handles by every call that needs no privilege, in one thread. */
#include "ledger.h"
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <time.h>

struct how { uint64_t flags, mode, resolve; };

static void close_fd(int fd) { ended("close", close(fd), fd); }

static void files(void) {
    int fd = made("openat", open("/dev/null", O_RDONLY));
    close_fd(fd);
    fd = made("openat", open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    tell("cloexec %d", fd);
    close_fd(fd);
#ifdef SYS_open
    fd = made("open", syscall(SYS_open, "/dev/null", O_RDONLY));
    close_fd(fd);
#endif
    struct how how = {.flags = O_RDONLY | O_CLOEXEC};
    fd = made("openat2", syscall(SYS_openat2, AT_FDCWD, "/dev/null", &how, sizeof how));
    tell("cloexec %d", fd);
    close_fd(fd);
    fd = made("memfd_create", memfd_create("x", MFD_CLOEXEC));
    tell("cloexec %d", fd);
    close_fd(fd);
}

static void pairs(void) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC)) die("pipe2");
    for (int i = 0; i < 2; i++) {
        made("pipe2", ends[i]);
        tell("cloexec %d", ends[i]);
    }
    close_fd(ends[0]);
    close_fd(ends[1]);
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends)) die("socketpair");
    made("socketpair", ends[0]);
    made("socketpair", ends[1]);

    /* A descriptor sent to ourselves. */
    int sent = made("openat", open("/dev/zero", O_RDONLY));
    char byte = 'x', control[CMSG_SPACE(2 * sizeof(int))] = {0};
    struct iovec iov = {&byte, 1};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(2 * sizeof(int));
    int two[2] = {sent, 0};
    memcpy(CMSG_DATA(header), two, sizeof two);
    if (sendmsg(ends[0], &message, 0) != 1) die("sendmsg");
    message.msg_controllen = sizeof control;
    if (recvmsg(ends[1], &message, MSG_CMSG_CLOEXEC) != 1) die("recvmsg");
    memcpy(two, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof two);
    for (int i = 0; i < 2; i++) {
        made("recvmsg", two[i]);
        tell("cloexec %d", two[i]);
    }
    close_fd(two[0]);
    close_fd(two[1]);
    close_fd(sent);

    /* The same by recvmmsg, two messages. */
    for (int i = 0; i < 2; i++) {
        message.msg_controllen = CMSG_SPACE(sizeof(int));
        header->cmsg_len = CMSG_LEN(sizeof(int));
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        memset(CMSG_DATA(header), 0, sizeof(int));
        if (sendmsg(ends[0], &message, 0) != 1) die("sendmsg");
    }
    char controls[2][CMSG_SPACE(sizeof(int))];
    struct mmsghdr messages[2] = {0};
    for (int i = 0; i < 2; i++) {
        messages[i].msg_hdr.msg_iov = &iov;
        messages[i].msg_hdr.msg_iovlen = 1;
        messages[i].msg_hdr.msg_control = controls[i];
        messages[i].msg_hdr.msg_controllen = sizeof controls[i];
    }
    if (recvmmsg(ends[1], messages, 2, 0, NULL) != 2) die("recvmmsg");
    int received[2];
    for (int i = 0; i < 2; i++) {
        memcpy(&received[i], CMSG_DATA(CMSG_FIRSTHDR(&messages[i].msg_hdr)), sizeof(int));
        made("recvmmsg", received[i]);
    }
    close_fd(received[0]);
    close_fd(received[1]);
    close_fd(ends[0]);
    close_fd(ends[1]);
}

static void sockets(void) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t length = sizeof address.sun_family;
    int listener = made("socket", socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    tell("cloexec %d", listener);
    if (bind(listener, (void *)&address, length) || listen(listener, 1)) die("listen");
    length = sizeof address;
    if (getsockname(listener, (void *)&address, &length)) die("getsockname");
    int client = made("socket", socket(AF_UNIX, SOCK_STREAM, 0));
    if (connect(client, (void *)&address, length)) die("connect");
    int server = made("accept4", accept4(listener, NULL, NULL, SOCK_CLOEXEC));
    tell("cloexec %d", server);
    close_fd(server);
    close_fd(client);
    close_fd(listener);
}

static void copies(void) {
    int fd = made("openat", open("/dev/null", O_RDONLY));
    int a = made("dup", dup(fd));
    int b = made("fcntl", fcntl(fd, F_DUPFD, 100));
    int c = made("fcntl", fcntl(fd, F_DUPFD_CLOEXEC, 100));
    tell("cloexec %d", c);
    made("dup3", dup3(fd, 200, O_CLOEXEC));
    tell("cloexec 200");
    tell("- over 200");
    made("dup2", dup2(a, 200));
    if (dup2(a, a) != a) die("dup2");
    fcntl(b, F_SETFD, FD_CLOEXEC);
    tell("flag %d", b);
    if (syscall(SYS_close_range, 100, 249, 4)) die("close_range");
    tell("flag %d", b);
    tell("flag %d", c);
    tell("flag 200");
    ended("close_range", syscall(SYS_close_range, 100, 150, 0), b);
    tell("- close_range %d", c);
    close_fd(200);
    close_fd(a);
    close_fd(fd);
}

static void events(void) {
    int fd = made("eventfd2", eventfd(0, EFD_CLOEXEC));
    tell("cloexec %d", fd);
    close_fd(fd);
    sigset_t none;
    sigemptyset(&none);
    fd = made("signalfd4", signalfd(-1, &none, 0));
    if (signalfd(fd, &none, 0) != fd) die("signalfd");
    close_fd(fd);
    close_fd(made("timerfd_create", timerfd_create(CLOCK_MONOTONIC, 0)));
    fd = made("pidfd_open", syscall(SYS_pidfd_open, getpid(), 0));
    tell("cloexec %d", fd);
    close_fd(fd);
    int epoll = made("epoll_create1", epoll_create1(0));
    struct epoll_event event = {.events = EPOLLIN};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, 0, &event)) die("epoll_ctl");
    tell("+ registration 0");
    if (epoll_ctl(epoll, EPOLL_CTL_DEL, 0, &event)) die("epoll_ctl");
    tell("- registration 0");
    int ready = made("eventfd2", eventfd(0, 0));
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, ready, &event)) die("epoll_ctl");
    tell("+ registration %d", ready);
    tell("- registration %d", ready);
    close_fd(ready);
    close_fd(epoll);
    int notify = made("inotify_init1", inotify_init1(0));
    int watch = inotify_add_watch(notify, "/", IN_CREATE);
    tell("+ watch %d", watch);
    if (inotify_rm_watch(notify, watch)) die("inotify_rm_watch");
    tell("- watch %d", watch);
    close_fd(notify);
    int timer = -1;
    struct sigevent none_event = {.sigev_notify = SIGEV_NONE};
    if (syscall(SYS_timer_create, CLOCK_MONOTONIC, &none_event, &timer)) die("timer_create");
    tell("+ timer %d", timer);
    if (syscall(SYS_timer_delete, timer)) die("timer_delete");
    tell("- timer %d", timer);
}

static void mistakes(void) {
    char byte;
    int fd = made("openat", open("/dev/null", O_RDONLY));
    close_fd(fd);
    if (close(fd) != -1 || errno != EBADF) die("double close");
    tell("fail close 9 %d", fd);
    if (read(fd, &byte, 1) != -1 || errno != EBADF) die("read");
    tell("fail read 9 %d", fd);
    if (dup2(fd, 7) != -1) die("dup2");
    tell("fail dup2 9 %d", fd);
    if (close(-1) != -1) die("close");
    tell("fail close 9 none");
}

static void mappings(void) {
    size_t page = 4096;
    char *memory = mmap(NULL, 4 * page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    tell("+ mapping %#lx", (unsigned long)memory);
    munmap(memory + page, page);
    munmap(memory, page);
    munmap(memory + 2 * page, 2 * page);
    tell("- mapping %#lx", (unsigned long)memory);
}

int main(void) {
    await_tracer();
    files();
    pairs();
    sockets();
    copies();
    events();
    mistakes();
    mappings();
    finish();
}
