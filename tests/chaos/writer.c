/*
 * A program in C that does what it is told; see writer.mjs.
 *
 * It keeps to PIPE_FORMAT.md with nothing of statvent: it says who it is, shows
 * that it lives, sends gauges, windows and histograms, and leaves its last
 * values when it ends in an orderly way. It keeps no checkpoint.
 *
 *     writer SLOT HANDLER
 */
#include <errno.h>
#include <fcntl.h>
#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { VALUES = 10, ROOM = 4096 };

static const char *slot, *handler, *directory;
static char path[512], spare[512], alive[512];
static long long start;
/* Who this process is. */
static char id[33];
/* Its last snapshot. */
static long long number;

static pthread_mutex_t counting = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t renewing = PTHREAD_MUTEX_INITIALIZER;
static int ended;
static long long counted, gauge;
static int has_gauge;
/* How often 2^k was recorded. */
static long long recorded[VALUES];
static int last = -1;

static char *put(char *at, const char *format, ...) {
  va_list args;
  va_start(args, format);
  at += vsprintf(at, format, args);
  va_end(args);
  return at;
}

static char *put_lines(char *at, const char *name) {
  return put(at, "chaos.took%s.median: %d\nchaos.took%s.mean: %d\n", name,
             1 << last, name, 1 << last);
}

static char *put_notes(char *at, const char *name) {
  long long sum = 0, count = 0;
  int least = -1, most = 0, k;
  for (k = 0; k < VALUES; k++) {
    if (recorded[k] == 0) continue;
    sum += recorded[k] << k;
    count += recorded[k];
    if (least < 0) least = k;
    most = k;
  }
  at = put(at,
           "# window {\"name\":\"chaos.took%s.{0}\",\"percentiles\":[[50,"
           "\"chaos.took%s.median\"]],\"mean\":\"chaos.took%s.mean\","
           "\"values\":[%d]}: 1\n",
           name, name, name, 1 << last);
  at = put(at,
           "# histogram {\"name\":\"chaos.took%s.{0}\",\"scale\":4,\"sum\":%lld,"
           "\"min\":%d,\"max\":%d,\"zeros\":0,\"positive\":[",
           name, sum, 1 << least, 1 << most);
  for (k = 0; k < VALUES; k++) {
    if (recorded[k] == 0) continue;
    at = put(at, "%s[%d,%lld]", k == least ? "" : ",", 16 * k - 1, recorded[k]);
  }
  return put(at, "],\"negative\":[]}: %lld\n", count);
}

static unsigned crc32(const char *text, size_t size) {
  unsigned crc = ~0u;
  int bit;
  while (size-- > 0) {
    crc ^= (unsigned char)*text++;
    for (bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
  }
  return ~crc;
}

/* Returns how many bytes it is. The caller holds `counting`. */
static size_t snapshot(char *text, int is_final) {
  char *at = text, own[32];
  sprintf(own, ".%s", slot);
  at = put(at, "chaos.all: %lld\nchaos.own.%s: %lld\n", counted, slot, counted);
  if (has_gauge) at = put(at, "chaos.gauge.%s: %lld\n", slot, gauge);
  if (last >= 0) at = put_lines(put_lines(at, ""), own);
  at = put(at,
           "# process {\"id\":\"%s\",\"start\":%lld.%03lld,"
           "\"name\":\"writer.c\"%s}: 0\n",
           id, start / 1000, start % 1000, is_final ? ",\"final\":true" : "");
  if (has_gauge) at = put(at, "# gauge [\"chaos.gauge.%s\"]: 1\n", slot);
  if (last >= 0) at = put_notes(put_notes(at, ""), own);
  at = put(at, "# seq: %lld\n", ++number);
  if (is_final) {
    unsigned crc = crc32(text, at - text);
    at = put(at, "# crc32 [\"%08x\"]: %d\n", crc, (int)(at - text));
  }
  at = put(at, "# EOF: %d\n", (int)(at - text));
  return at - text;
}

static void renew(void) {
  pthread_mutex_lock(&renewing);
  if (!ended && mkfifo(spare, 0644) == 0) rename(spare, path);
  pthread_mutex_unlock(&renewing);
}

static void *serve(void *unused) {
  (void)unused;
  while (!ended) {
    char text[ROOM];
    size_t size;
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 && errno == EINTR) continue;
    if (fd < 0) return NULL;
    renew();
    pthread_mutex_lock(&counting);
    size = snapshot(text, 0);
    pthread_mutex_unlock(&counting);
    /* So short that it is written at once. */
    if (write(fd, text, size) < 0) errno = 0;
    close(fd);
  }
  return NULL;
}

/* Leaves the last values, and no pipe. Nothing is counted from then on. */
static void leave(void) {
  char text[ROOM], new[600], left[600];
  size_t size;
  int fd;
  pthread_mutex_lock(&counting);
  pthread_mutex_lock(&renewing);
  ended = 1;
  size = snapshot(text, 1);
  sprintf(new, "%s/.ended.%s.%.8s-0000-0000-0000-000000000000.new", directory,
          id, id);
  sprintf(left, "%s/.ended.%s.%lld", directory, id, number);
  fd = open(new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0 || write(fd, text, size) < 0) _exit(3);
  close(fd);
  rename(new, left);
  unlink(path);
  unlink(spare);
  unlink(alive);
  pthread_mutex_unlock(&renewing);
}

static int lives(const char *name) {
  int fd = open(name, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
  if (fd >= 0) close(fd);
  return fd >= 0;
}

/* Takes an identity and a base, and shows that this process lives. */
static void begin(void) {
  unsigned char bytes[16];
  char new[600], prefix[64], base[32], other[900];
  struct dirent *entry;
  DIR *names;
  int i;
  if (getrandom(bytes, sizeof bytes, 0) < 0) _exit(5);
  for (i = 0; i < 16; i++) sprintf(id + 2 * i, "%02x", bytes[i]);
  sprintf(base, "%d", getpid());
  sprintf(prefix, ".%s.", base);
  sprintf(new, "%s/.%s.%s.%.8s.new", directory, base, id, id);
  sprintf(alive, "%s/.%s.%s.alive", directory, base, id);
  /* It stays open until the process ends. */
  if (mkfifo(new, 0644) < 0 || open(new, O_RDWR | O_NONBLOCK | O_CLOEXEC) < 0)
    _exit(6);
  rename(new, alive);
  names = opendir(directory);
  while (names != NULL && (entry = readdir(names)) != NULL) {
    sprintf(other, "%s/%s", directory, entry->d_name);
    if (strncmp(entry->d_name, prefix, strlen(prefix)) == 0 &&
        strstr(entry->d_name, ".alive") != NULL && strcmp(other, alive) != 0 &&
        lives(other)) {
      sprintf(base, "%d-%.8s", getpid(), id);
      sprintf(new, "%s/.%s.%s.alive", directory, base, id);
      rename(alive, new);
      strcpy(alive, new);
      break;
    }
  }
  if (names != NULL) closedir(names);
  sprintf(path, "%s/%s.stats", directory, base);
  sprintf(spare, "%s/.%s.%s.%.8s.fifo", directory, base, id, id);
}

/* A signal may come at any instruction, so another thread waits for it. */
static void *await_term(void *set) {
  int number;
  sigwait(set, &number);
  leave();
  _exit(0);
}

static long long now_ms(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

int main(int argc, char **argv) {
  static sigset_t term;
  pthread_t thread;
  char line[256];
  (void)argc;
  slot = argv[1];
  handler = argv[2];
  directory = getenv("STATVENT_PIPE_DIR");
  start = now_ms(CLOCK_REALTIME);
  mkdir(directory, 0755);
  signal(SIGPIPE, SIG_IGN);
  begin();
  renew();
  sigemptyset(&term);
  sigaddset(&term, SIGTERM);
  if (strcmp(handler, "term") == 0) {
    pthread_sigmask(SIG_BLOCK, &term, NULL);
    pthread_create(&thread, NULL, await_term, &term);
  }
  pthread_create(&thread, NULL, serve, NULL);
  setvbuf(stdout, NULL, _IOLBF, 256);
  puts("ready");
  while (fgets(line, sizeof line, stdin) != NULL) {
    char command[16] = "", how[16] = "", to[16] = "";
    long long number = 0, amount = 0, value = 0;
    sscanf(line, "%lld %15s %15s %15s", &number, command, to, how);
    amount = atoll(to);
    value = atoll(how);
    if (strcmp(command, "count") == 0) {
      pthread_mutex_lock(&counting);
      counted += amount;
      pthread_mutex_unlock(&counting);
    } else if (strcmp(command, "record") == 0) {
      int k = 0;
      while ((1 << k) < value) k++;
      while (amount-- > 0) {
        pthread_mutex_lock(&counting);
        last = k;
        recorded[k]++;
        pthread_mutex_unlock(&counting);
      }
    } else if (strcmp(command, "set") == 0) {
      pthread_mutex_lock(&counting);
      gauge = amount;
      has_gauge = 1;
      pthread_mutex_unlock(&counting);
    } else if (strcmp(command, "hang") == 0) {
      long long limit = now_ms(CLOCK_MONOTONIC) + amount;
      while (now_ms(CLOCK_MONOTONIC) < limit) {}
    } else if (strcmp(command, "exec") == 0) {
      char *args[] = {argv[0], to, (char *)handler, NULL};
      if (strcmp(how, "left") == 0) leave();
      execv("/proc/self/exe", args);
      _exit(4);
    } else if (strcmp(command, "end") == 0) {
      break;
    }
    printf("ok %lld\n", number);
  }
  leave();
  _exit(0);
}
