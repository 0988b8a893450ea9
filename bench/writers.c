/*
 * Many processes that offer stats, and do nothing else.
 *
 *     writers PROCESSES STATS DIRECTORY
 *
 * Prints a line when all can be read. Ends when its input does. Keeps to
 * PIPE_FORMAT.md.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINE = 64 };

static char path[512], spare[512];

static int renew(void) {
  return mkfifo(spare, 0644) == 0 && rename(spare, path) == 0;
}

static void serve(const char *directory, int stats, int ready) {
  char *text = malloc((size_t)(stats + 2) * LINE), *at = text;
  int i, fd;
  for (i = 0; i < stats; i++) at += sprintf(at, "http.requests.%d: %d\n", i, i);
  at += sprintf(at, "# process {\"start\":1.0,\"name\":\"writers.c\"}: 0\n");
  at += sprintf(at, "# EOF: %d\n", (int)(at - text));
  sprintf(path, "%s/%d.stats", directory, getpid());
  sprintf(spare, "%s/.%d.next", directory, getpid());
  signal(SIGPIPE, SIG_IGN);
  if (!renew() || write(ready, ".", 1) != 1) _exit(1);
  while ((fd = open(path, O_WRONLY)) >= 0) {
    char *from = text;
    if (!renew()) _exit(2);
    while (from < at) {
      ssize_t count = write(fd, from, at - from);
      if (count <= 0) break;
      from += count;
    }
    close(fd);
  }
  _exit(3);
}

int main(int argc, char **argv) {
  int processes = atoi(argv[1]), ready[2], i;
  char byte;
  if (argc != 4 || pipe(ready) != 0) return 1;
  for (i = 0; i < processes; i++) {
    pid_t child = fork();
    if (child < 0) return 2;
    if (child > 0) continue;
    close(0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    serve(argv[3], atoi(argv[2]), ready[1]);
  }
  for (i = 0; i < processes; i++) {
    if (read(ready[0], &byte, 1) != 1) return 3;
  }
  puts("ready");
  fflush(stdout);
  while (read(0, &byte, 1) > 0) {
  }
  return 0;
}
