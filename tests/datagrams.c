/* The UDP of a process, which a test stalls: while the byte in a file is not zero, no datagram
 * leaves the process and none arrives. TCP goes on.
 *
 * Preloaded into worker processes (tests/datagrams.py). DATAGRAMS_FILE names the file. No lock, no
 * cache: processes are forked and killed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static const volatile char no = 0;
static const volatile char *stalled = &no;

__attribute__((constructor)) static void open_stall(void)
{
	const char *name = getenv("DATAGRAMS_FILE");
	int file = name == NULL ? -1 : open(name, O_RDONLY | O_CLOEXEC);
	if (file < 0)
		return;
	void *mapped = mmap(NULL, 1, PROT_READ, MAP_SHARED, file, 0);
	close(file);
	if (mapped != MAP_FAILED)
		stalled = mapped;
}

static int option(int socket, int name)
{
	int value = -1;
	socklen_t size = sizeof value;
	return getsockopt(socket, SOL_SOCKET, name, &value, &size) == 0 ? value : -1;
}

static int holds(int socket)
{
	return *stalled && option(socket, SO_TYPE) == SOCK_DGRAM &&
	       option(socket, SO_DOMAIN) != AF_UNIX;
}

static ssize_t lost(ssize_t arrived)
{
	if (arrived < 0)
		return arrived;
	errno = EAGAIN;
	return -1;
}

ssize_t sendto(int socket, const void *data, size_t size, int flags,
	       const struct sockaddr *to, socklen_t length)
{
	return holds(socket) ? (ssize_t)size
			     : syscall(SYS_sendto, socket, data, size, flags, to, length);
}

ssize_t send(int socket, const void *data, size_t size, int flags)
{
	return sendto(socket, data, size, flags, NULL, 0);
}

ssize_t sendmsg(int socket, const struct msghdr *message, int flags)
{
	ssize_t size = 0;
	if (!holds(socket))
		return syscall(SYS_sendmsg, socket, message, flags);
	for (size_t part = 0; part < message->msg_iovlen; part++)
		size += (ssize_t)message->msg_iov[part].iov_len;
	return size;
}

ssize_t recvfrom(int socket, void *restrict data, size_t size, int flags,
		 struct sockaddr *restrict from, socklen_t *restrict length)
{
	ssize_t arrived = syscall(SYS_recvfrom, socket, data, size, flags, from, length);
	return holds(socket) ? lost(arrived) : arrived;
}

ssize_t recv(int socket, void *data, size_t size, int flags)
{
	return recvfrom(socket, data, size, flags, NULL, NULL);
}

ssize_t recvmsg(int socket, struct msghdr *message, int flags)
{
	ssize_t arrived = syscall(SYS_recvmsg, socket, message, flags);
	return holds(socket) ? lost(arrived) : arrived;
}
