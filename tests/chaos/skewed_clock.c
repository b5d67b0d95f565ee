/* Loaded before a program's other libraries (LD_PRELOAD), it moves that program's wall clock, and no other clock.
 *
 * By how many nanoseconds stands in the file that CHAOS_CLOCK names, eight bytes that every process maps: who writes
 * them lets the clocks of all of them jump at once. A wait until a moment of the wall clock takes as long as it would
 * have taken, had the clock not been moved: the kernel, which waits, has the true one.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000LL
#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static const volatile int64_t *moved;

__attribute__((constructor)) static void find_clock(void) {
    const char *path = getenv("CHAOS_CLOCK");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *found = mmap(NULL, sizeof *moved, PROT_READ, MAP_SHARED, file, 0);
    close(file);
    if (found != MAP_FAILED) moved = found;
}

static int is_wall(clockid_t clock) { return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE; }

static struct timespec shifted(const struct timespec *time, int64_t by) {
    int64_t nanoseconds = time->tv_nsec + by % SECOND;
    struct timespec result = {time->tv_sec + by / SECOND, nanoseconds};
    if (nanoseconds < 0) result = (struct timespec){result.tv_sec - 1, nanoseconds + SECOND};
    if (nanoseconds >= SECOND) result = (struct timespec){result.tv_sec + 1, nanoseconds - SECOND};
    return result;
}

/* A moment of the moved clock as the kernel knows it; `room` is where it may be put. */
static const struct timespec *truly(const struct timespec *time, struct timespec *room) {
    if (!time || !moved) return time;
    *room = shifted(time, -*moved);
    if (room->tv_sec < 0) *room = (struct timespec){0, 0};
    return room;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    static __typeof__(&clock_gettime) real;
    if (!real) real = REAL(clock_gettime);
    int failed = real(clock, time);
    if (!failed && moved && is_wall(clock)) *time = shifted(time, *moved);
    return failed;
}

int gettimeofday(struct timeval *time, void *zone) {
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    *time = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
    return 0;
}

time_t time(time_t *result) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (result) *result = now.tv_sec;
    return now.tv_sec;
}

int timespec_get(struct timespec *time, int base) {
    return base == TIME_UTC && !clock_gettime(CLOCK_REALTIME, time) ? base : 0;
}

int clock_nanosleep(clockid_t clock, int flags, const struct timespec *until, struct timespec *left) {
    struct timespec room;
    if (is_wall(clock) && flags & TIMER_ABSTIME) until = truly(until, &room);
    return REAL(clock_nanosleep)(clock, flags, until, left);
}

int sem_timedwait(sem_t *semaphore, const struct timespec *until) {
    struct timespec room;
    return REAL(sem_timedwait)(semaphore, truly(until, &room));
}

int sem_clockwait(sem_t *semaphore, clockid_t clock, const struct timespec *until) {
    struct timespec room;
    return REAL(sem_clockwait)(semaphore, clock, is_wall(clock) ? truly(until, &room) : until);
}

int pthread_mutex_timedlock(pthread_mutex_t *mutex, const struct timespec *until) {
    struct timespec room;
    return REAL(pthread_mutex_timedlock)(mutex, truly(until, &room));
}

int pthread_cond_clockwait(pthread_cond_t *condition, pthread_mutex_t *mutex, clockid_t clock, const struct timespec *until) {
    struct timespec room;
    return REAL(pthread_cond_clockwait)(condition, mutex, clock, is_wall(clock) ? truly(until, &room) : until);
}

int pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex, const struct timespec *until) {
    static __typeof__(&pthread_cond_timedwait) real;
    struct timespec room;
    if (!real) real = dlvsym(RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2");  /* x86 has an older one, too */
    if (!real) real = REAL(pthread_cond_timedwait);
    /* Where glibc notes that pthread_condattr_setclock chose another clock. */
    return real(condition, mutex, condition->__data.__wrefs & 2 ? until : truly(until, &room));
}

long syscall(long number, ...) {
    static __typeof__(&syscall) real;
    struct timespec room;
    long given[6];
    va_list list;
    va_start(list, number);
    for (int i = 0; i < 6; i++) given[i] = va_arg(list, long);
    va_end(list);
    if (!real) real = REAL(syscall);
    if (number == SYS_futex && given[1] & FUTEX_CLOCK_REALTIME)
        given[3] = (long)truly((const struct timespec *)given[3], &room);
    long result = real(number, given[0], given[1], given[2], given[3], given[4], given[5]);
    if (number == SYS_clock_gettime && !result && moved && is_wall((clockid_t)given[0]))
        *(struct timespec *)given[1] = shifted((struct timespec *)given[1], *moved);
    return result;
}
