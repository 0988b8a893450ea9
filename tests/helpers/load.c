/*
 * Clients that ask again as soon as they have their answer.
 *
 *     load PORT PATH CONNECTIONS SECONDS
 *
 * Prints the answers, the errors and the 99th percentile of the times in
 * milliseconds. A client that still waits counts with the time so far.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_TIMES = 4000000 };

struct client {
  int fd;
  double since;
  /* The bytes of the body that are missing; -1 before the end of the head. */
  long missing;
  int got;
  char head[4096];
};

static char request[512], piece[1 << 18];
static int length;
static double times[MAX_TIMES];
static long count, errors;

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1e3 + time.tv_nsec / 1e6;
}

static int compare(const void *a, const void *b) {
  double difference = *(const double *)a - *(const double *)b;
  return difference < 0 ? -1 : difference > 0;
}

static void note(struct client *client) {
  if (count < MAX_TIMES) times[count++] = now() - client->since;
}

static void ask(struct client *client) {
  client->missing = -1;
  client->got = 0;
  client->since = now();
  if (write(client->fd, request, length) != length) errors++;
}

/* Takes what has come. Returns 0 once the connection is closed. */
static int take(struct client *client) {
  ssize_t came = read(client->fd, piece, sizeof piece);
  if (came < 0 && errno == EAGAIN) return 1;
  if (came <= 0) return 0;
  if (client->missing >= 0) {
    client->missing -= came;
  } else {
    int room = sizeof client->head - 1 - client->got, before = client->got;
    int copied = came < room ? (int)came : room;
    char *end, *field;
    memcpy(client->head + before, piece, copied);
    client->head[client->got += copied] = 0;
    end = strstr(client->head, "\r\n\r\n");
    if (end == 0) return 1;
    field = strcasestr(client->head, "content-length:");
    if (strncmp(client->head, "HTTP/1.1 200", 12) != 0) errors++;
    client->missing = (field ? atol(field + 15) : 0) -
                      (before + came - (end + 4 - client->head));
  }
  if (client->missing == 0) {
    note(client);
    ask(client);
  }
  return 1;
}

int main(int argc, char **argv) {
  int clients = atoi(argv[3]), poll = epoll_create1(0), i;
  double end = now() + atof(argv[4]) * 1e3;
  struct client *all = calloc(clients, sizeof *all);
  struct sockaddr_in to = {.sin_family = AF_INET};
  if (argc != 5) return 1;
  to.sin_port = htons(atoi(argv[1]));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  length = sprintf(request, "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", argv[2]);
  for (i = 0; i < clients; i++) {
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};
    all[i].fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(all[i].fd, (void *)&to, sizeof to) != 0) errors++;
    fcntl(all[i].fd, F_SETFL, O_NONBLOCK);
    epoll_ctl(poll, EPOLL_CTL_ADD, all[i].fd, &event);
    ask(&all[i]);
  }
  while (now() < end) {
    struct epoll_event events[256];
    int n = epoll_wait(poll, events, 256, 100);
    for (i = 0; i < n; i++) {
      struct client *client = &all[events[i].data.u32];
      if (take(client)) continue;
      errors++;
      epoll_ctl(poll, EPOLL_CTL_DEL, client->fd, 0);
    }
  }
  for (i = 0; i < clients; i++) note(&all[i]);
  qsort(times, count, sizeof *times, compare);
  printf("%ld %ld %.1f\n", count, errors, times[(long)(count * 0.99)]);
  return 0;
}
