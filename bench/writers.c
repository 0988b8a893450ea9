/*
 * Many processes that do nothing but offer stats.
 *
 *     writers PROCESSES STATS DIRECTORY
 *
 * Prints a line when all of them can be read. Ends when its input does. Follows
 * PIPE_FORMAT.md.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINE = 64 };

/* The public name, and the private ones of two pipes. */
static char path[512], names[2][512];

/*
 * Gives one pipe the public name, and the other its private name back. Creating
 * a new pipe each time would be slow: before ext4 hands out an inode, it examines
 * all that were deleted in the last seconds, and 1 000 reads took 280 ms, not 70.
 */
static int publish(int next) {
  int reader = open(names[next], O_WRONLY | O_NONBLOCK);
  if (reader >= 0) {
    close(reader);
    unlink(names[next]);
  }
  if (reader >= 0 || errno == ENOENT) {
    if (mkfifo(names[next], 0644) != 0) return 0;
  } else if (errno != ENXIO) {
    return 0;
  }
  if (link(path, names[!next]) != 0 && errno != ENOENT) return 0;
  return rename(names[next], path) == 0;
}

static void serve(const char *directory, int stats, int ready) {
  char *text = malloc((size_t)(stats + 2) * LINE), *at = text;
  int i, fd, next = 0;
  for (i = 0; i < stats; i++) at += sprintf(at, "http.requests.%d: %d\n", i, i);
  at += sprintf(at, "# process {\"start\":1.0,\"name\":\"writers.c\"}: 0\n");
  at += sprintf(at, "# EOF: %d\n", (int)(at - text));
  sprintf(path, "%s/%d.stats", directory, getpid());
  for (i = 0; i < 2; i++) {
    sprintf(names[i], "%s/.%d.%d", directory, getpid(), i);
  }
  signal(SIGPIPE, SIG_IGN);
  if (!publish(next) || write(ready, ".", 1) != 1) _exit(1);
  while ((fd = open(path, O_WRONLY)) >= 0) {
    char *from = text;
    next = !next;
    if (!publish(next)) _exit(2);
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
