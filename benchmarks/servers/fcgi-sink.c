/* fcgi-sink: a FastCGI application that does no work, so that the cost of the gateway in front of it can be measured.
 *
 *   fcgi-sink SOCKET_PATH
 *
 * One thread, epoll, any number of connections, multiplexed request ids, FCGI_KEEP_CONN honoured. Once the STDIN of a
 * request has ended, it is answered with 200, a Content-Length and as many 'x' as its params say in `bytes=N` (1024
 * without it); with `file=NAME`, the gateway is told to send the file of that name in the directory `files` beside the socket
 * (X-Sendfile, X-Accel-Redirect). Responses are generated as they are read, so one of 1 GB needs no more memory than a short
 * one. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { BEGIN_REQUEST = 1, END_REQUEST = 3, PARAMS = 4, STDIN = 5, STDOUT = 6, GET_VALUES = 9, GET_VALUES_RESULT = 10 };
enum { HEADER = 8, MOST_FDS = 65536, IN_SIZE = 256 * 1024, OUT_SIZE = 512 * 1024, RECORD = 32768, IDS = 1024 };

typedef struct { unsigned id; size_t length; char file[32]; } request;
typedef struct {
  unsigned char in[IN_SIZE], out[OUT_SIZE];
  size_t in_length, out_start, out_end;
  request requests[IDS]; /* by request id, until their STDIN has ended */
  request answers[IDS];  /* ring buffer of the requests that are being answered, in order */
  unsigned first, count;
  size_t left; /* bytes of the first answer's body that have not been generated yet */
  int begun, keep, waits;
} connection;

static connection *connections[MOST_FDS];
static unsigned char filler[RECORD];
static int epoll;
static char directory[108];

static unsigned char *put_header(unsigned char *at, int type, unsigned id, size_t length) {
  unsigned char header[HEADER] = {1, type, id >> 8, id & 255, length >> 8, length & 255, 0, 0};
  memcpy(at, header, HEADER);
  return at + HEADER;
}

static void drop(int fd) {
  free(connections[fd]);
  connections[fd] = NULL;
  close(fd);
}

/* Writes as much of the answers into the buffer as fits. */
static void fill(connection *c) {
  while (c->count > 0 && OUT_SIZE - c->out_end >= RECORD + 512) {
    request *answer = &c->answers[c->first];
    unsigned char *at = c->out + c->out_end;
    if (!c->begun) {
      char head[512];
      int length = 0;
      if (answer->file[0])
        length = snprintf(head, sizeof head, "X-Sendfile: %s/files/%s\r\nX-Accel-Redirect: /files/%s\r\n",
          directory, answer->file, answer->file);
      length += snprintf(head + length, sizeof head - length, "Content-Type: text/plain\r\nContent-Length: %zu\r\n\r\n", answer->length);
      /* A short body is sent in the same record as the head, as PHP does. */
      size_t body = answer->length < RECORD - sizeof head ? answer->length : 0;
      at = put_header(at, STDOUT, answer->id, length + body);
      memcpy(at, head, length);
      memcpy(at + length, filler, body);
      at += length + body;
      c->begun = 1;
      c->left = answer->length - body;
    }
    if (c->left > 0) {
      size_t length = c->left < RECORD ? c->left : RECORD;
      at = put_header(at, STDOUT, answer->id, length);
      memcpy(at, filler, length);
      at += length;
      c->left -= length;
    }
    c->out_end = at - c->out;
    if (c->left == 0 && OUT_SIZE - c->out_end >= 64) {
      at = put_header(at, STDOUT, answer->id, 0);
      at = put_header(at, END_REQUEST, answer->id, 8);
      memset(at, 0, 8);
      c->out_end = at + 8 - c->out;
      c->first = (c->first + 1) % IDS;
      c->count--;
      c->begun = 0;
    }
  }
}

static void wait_for(int fd, int writable) {
  connection *c = connections[fd];
  if (c->waits == writable) return;
  c->waits = writable;
  struct epoll_event event = {.events = EPOLLIN | (writable ? EPOLLOUT : 0), .data.fd = fd};
  epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event);
}

static void flush(int fd) {
  connection *c = connections[fd];
  for (;;) {
    if (c->out_start == c->out_end) c->out_start = c->out_end = 0;
    fill(c);
    if (c->out_start == c->out_end) break;
    ssize_t n = write(fd, c->out + c->out_start, c->out_end - c->out_start);
    if (n < 0 && errno == EAGAIN) { wait_for(fd, 1); return; }
    if (n < 0) { drop(fd); return; }
    c->out_start += n;
  }
  wait_for(fd, 0);
  if (!c->keep && c->count == 0 && c->out_end == 0) drop(fd);
}

static void put_values(connection *c) {
  static const char *names[] = {"FCGI_MAX_CONNS", "FCGI_MAX_REQS", "FCGI_MPXS_CONNS"}, *values[] = {"1024", "1024", "1"};
  unsigned char pairs[128], *at = pairs;
  for (int i = 0; i < 3; i++) {
    *at++ = strlen(names[i]);
    *at++ = strlen(values[i]);
    at = mempcpy(mempcpy(at, names[i], strlen(names[i])), values[i], strlen(values[i]));
  }
  unsigned char *content = put_header(c->out + c->out_end, GET_VALUES_RESULT, 0, at - pairs);
  memcpy(content, pairs, at - pairs);
  c->out_end = content + (at - pairs) - c->out;
}

static void take_record(connection *c, unsigned char *record, size_t length) {
  unsigned type = record[1], id = record[2] << 8 | record[3];
  unsigned char *content = record + HEADER;
  request *r = &c->requests[id % IDS];
  if (type == BEGIN_REQUEST) {
    c->keep = content[2] & 1;
    r->id = id;
    r->length = 1024;
    r->file[0] = 0;
  } else if (type == PARAMS) {
    unsigned char *wish = memmem(content, length, "bytes=", 6);
    if (wish) r->length = strtoull((char *)wish + 6, NULL, 10);
    /* The query ends where the next param begins, with its length. */
    if ((wish = memmem(content, length, "file=", 5))) {
      sscanf((char *)wish + 5, "%31[a-z]", r->file);
      r->length = 0;
    }
  } else if (type == STDIN && length == 0) {
    c->answers[(c->first + c->count++) % IDS] = *r;
  } else if (type == GET_VALUES) put_values(c);
}

/* Processes complete records only, STDIN included, whose content is small here. */
static void on_readable(int fd) {
  connection *c = connections[fd];
  ssize_t n;
  while ((n = read(fd, c->in + c->in_length, IN_SIZE - c->in_length)) > 0) {
    size_t at = 0, end = c->in_length + n;
    while (end - at >= HEADER) {
      size_t length = c->in[at + 4] << 8 | c->in[at + 5], whole = HEADER + length + c->in[at + 6];
      if (end - at < whole) break;
      take_record(c, c->in + at, length);
      at += whole;
    }
    memmove(c->in, c->in + at, end - at);
    c->in_length = end - at;
  }
  if (n == 0 || errno != EAGAIN) drop(fd);
  else flush(fd);
}

static void on_connection(int listener) {
  int fd;
  while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
    if (fd >= MOST_FDS) { close(fd); continue; }
    connections[fd] = malloc(sizeof(connection));
    connection *c = connections[fd];
    c->in_length = c->out_start = c->out_end = c->first = c->count = c->left = 0;
    c->begun = c->waits = 0;
    c->keep = 1;
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
  }
}

int main(int argc, char **argv) {
  if (argc != 2) return fprintf(stderr, "usage: fcgi-sink SOCKET_PATH\n"), 2;
  signal(SIGPIPE, SIG_IGN);
  memset(filler, 'x', sizeof filler);
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strncpy(address.sun_path, argv[1], sizeof address.sun_path - 1);
  strncpy(directory, argv[1], sizeof directory - 1);
  if (strrchr(directory, '/')) *strrchr(directory, '/') = 0;
  int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (bind(listener, (void *)&address, sizeof address) || listen(listener, 4096)) return perror(argv[1]), 1;
  epoll = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, ready[256];
  epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
  for (;;) {
    int count = epoll_wait(epoll, ready, 256, -1);
    for (int i = 0; i < count; i++) {
      int fd = ready[i].data.fd;
      if (fd == listener) on_connection(fd);
      else if (!connections[fd]) continue;
      else if (ready[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) on_readable(fd);
      else flush(fd);
    }
  }
}
