/*
 * Between a process and its system: files below one directory fail as they are told to, and the clock on the wall jumps.
 *
 *     LD_PRELOAD=shim.so WAYBILL_SHIM_CONTROL=file WAYBILL_SHIM_DIRECTORY=/…/data
 *
 * `file` holds numbers of eight bytes, which another process changes while this one runs:
 *
 *     0  so many syncs fail (EIO); negative: all of them
 *     1  so many writes are short: half of what was asked for is written
 *     2  so many writes fail (ENOSPC), half of what was asked for having been written; negative: all of them
 *     3  nanoseconds that are added to the clock on the wall
 *     4  counts syncs that failed       5  counts short writes       6  counts writes that failed
 *     7  so many syncs take as long as number 8 says, microseconds
 *     9  as 0, of directories; 0 is of files alone       10  counts those
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t *control;
static char directory[4096];
static size_t directory_size;

static int (*real_clock_gettime)(clockid_t, struct timespec *);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static ssize_t (*real_writev)(int, const struct iovec *, int);
static ssize_t (*real_pwritev)(int, const struct iovec *, int, off_t);
static int (*real_fdatasync)(int);
static int (*real_fsync)(int);

__attribute__((constructor)) static void begin(void) {
  real_clock_gettime = dlsym(RTLD_NEXT, "clock_gettime");
  real_write = dlsym(RTLD_NEXT, "write");
  real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
  real_writev = dlsym(RTLD_NEXT, "writev");
  real_pwritev = dlsym(RTLD_NEXT, "pwritev64");
  real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
  real_fsync = dlsym(RTLD_NEXT, "fsync");
  const char *file = getenv("WAYBILL_SHIM_CONTROL");
  const char *below = getenv("WAYBILL_SHIM_DIRECTORY");
  if (file == NULL || below == NULL) return;
  directory_size = strlen(below);
  if (directory_size >= sizeof directory) return;
  memcpy(directory, below, directory_size + 1);
  int fd = open(file, O_RDWR | O_CLOEXEC);
  if (fd < 0) return;
  void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (at != MAP_FAILED) control = at;
}

static int is_ours(int fd) {
  if (control == NULL) return 0;
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t size = readlink(link, path, sizeof path - 1);
  if (size < (ssize_t)directory_size || memcmp(path, directory, directory_size) != 0) return 0;
  return size == (ssize_t)directory_size || path[directory_size] == '/';
}

/* Takes one of what is left; negative: there is always one. */
static int take(int index) {
  for (;;) {
    int64_t left = control[index];
    if (left == 0) return 0;
    if (left < 0) return 1;
    if (__sync_bool_compare_and_swap(&control[index], left, left - 1)) return 1;
  }
}

static int sync_fails(int fd) {
  if (control == NULL || (control[0] == 0 && control[7] == 0 && control[9] == 0) || !is_ours(fd)) return 0;
  if (take(7)) usleep((useconds_t)control[8]);
  struct stat about;
  int is_directory = fstat(fd, &about) == 0 && S_ISDIR(about.st_mode);
  if (!take(is_directory ? 9 : 0)) return 0;
  __sync_fetch_and_add(&control[is_directory ? 10 : 4], 1);
  errno = EIO;
  return 1;
}

int fdatasync(int fd) { return sync_fails(fd) ? -1 : real_fdatasync(fd); }
int fsync(int fd) { return sync_fails(fd) ? -1 : real_fsync(fd); }

/* 0: nothing happens. 1: the write is short. 2: it fails, when half of it is there. */
static int write_fault(int fd) {
  if (control == NULL || (control[1] == 0 && control[2] == 0) || !is_ours(fd)) return 0;
  if (take(2)) {
    __sync_fetch_and_add(&control[6], 1);
    return 2;
  }
  if (!take(1)) return 0;
  __sync_fetch_and_add(&control[5], 1);
  return 1;
}

static ssize_t half(int fault, ssize_t written) {
  if (fault == 1) return written;
  errno = ENOSPC;
  return -1;
}

/* The first half of the parts, at least a byte, as one piece. */
static ssize_t write_half(int fd, const struct iovec *parts, int count, off_t at, int has_at) {
  size_t size = 0;
  for (int i = 0; i < count; i++) size += parts[i].iov_len;
  size_t left = size > 1 ? size / 2 : size;
  ssize_t done = 0;
  for (int i = 0; i < count && left > 0; i++) {
    size_t now = parts[i].iov_len < left ? parts[i].iov_len : left;
    ssize_t written = has_at ? real_pwrite(fd, parts[i].iov_base, now, at + done) : real_write(fd, parts[i].iov_base, now);
    if (written < 0) return done > 0 ? done : -1;
    done += written;
    left -= written;
    if ((size_t)written < now) break;
  }
  return done;
}

ssize_t write(int fd, const void *bytes, size_t size) {
  int fault = write_fault(fd);
  if (fault == 0) return real_write(fd, bytes, size);
  struct iovec part = {(void *)bytes, size};
  return half(fault, write_half(fd, &part, 1, 0, 0));
}

ssize_t pwrite64(int fd, const void *bytes, size_t size, off_t at) {
  int fault = write_fault(fd);
  if (fault == 0) return real_pwrite(fd, bytes, size, at);
  struct iovec part = {(void *)bytes, size};
  return half(fault, write_half(fd, &part, 1, at, 1));
}
ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at) { return pwrite64(fd, bytes, size, at); }

ssize_t writev(int fd, const struct iovec *parts, int count) {
  int fault = write_fault(fd);
  return fault == 0 ? real_writev(fd, parts, count) : half(fault, write_half(fd, parts, count, 0, 0));
}

ssize_t pwritev64(int fd, const struct iovec *parts, int count, off_t at) {
  int fault = write_fault(fd);
  return fault == 0 ? real_pwritev(fd, parts, count, at) : half(fault, write_half(fd, parts, count, at, 1));
}
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at) { return pwritev64(fd, parts, count, at); }

static void shift(struct timespec *time) {
  int64_t ns = (int64_t)time->tv_sec * 1000000000 + time->tv_nsec + control[3];
  time->tv_sec = ns / 1000000000;
  time->tv_nsec = ns % 1000000000;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
  if (real_clock_gettime == NULL) real_clock_gettime = dlsym(RTLD_NEXT, "clock_gettime");
  int result = real_clock_gettime(clock, time);
  if (result == 0 && control != NULL && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) shift(time);
  return result;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
  (void)zone;
  struct timespec now;
  if (clock_gettime(CLOCK_REALTIME, &now) != 0) return -1;
  time->tv_sec = now.tv_sec;
  time->tv_usec = now.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *into) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (into != NULL) *into = now.tv_sec;
  return now.tv_sec;
}
