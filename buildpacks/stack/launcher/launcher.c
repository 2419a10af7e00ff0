/* launcher: starts an app's process, and is PID 1 of its container.
 *
 *   launcher 'COMMAND LINE'
 *
 * The command line runs in bash, after the launch environment that the build rendered
 * (/cnb/launch/profile.sh) has been sourced. As PID 1 the launcher
 *   - sends every signal that it gets to all other processes of the container: a shell that waits
 *     for `a && b` would otherwise swallow SIGTERM, and every stop would cost the whole grace time;
 *   - reaps every process that ends;
 *   - exits with the status of the command (128 + the signal's number when a signal ended it).
 * When the command has ended and others are left, they get SIGTERM and REST_SECONDS. When the
 * container was told to stop, they have as long as the engine gives them: a server that drains
 * behind a dead shell is not cut off.
 *
 * When it is not PID 1 (a second program in a running container) it only becomes the command.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SHELL "/bin/bash"
#define REST_SECONDS 5

/* $0 is the command line. bash execs the last simple command itself. */
static const char PROLOGUE[] =
    "if [ -r /cnb/launch/profile.sh ]; then . /cnb/launch/profile.sh; fi\n"
    "exec " SHELL " -c \"$0\"";

static void become(char *command)
{
    execl(SHELL, "bash", "-c", PROLOGUE, command, (char *)NULL);
    fprintf(stderr, "launcher: cannot run %s: %s\n", SHELL, strerror(errno));
    _exit(127);
}

static int code_of(int status)
{
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Reap what has ended. Sets *code when the command is among it. Returns 0 when nobody is left. */
static int reap(pid_t command, int *code)
{
    for (;;) {
        int status;
        pid_t pid = waitpid(-1, &status, WNOHANG);
        if (pid == 0)
            return 1;
        if (pid < 0)
            return errno != ECHILD;
        if (pid == command)
            *code = code_of(status);
    }
}

/* Wait for a signal, until `deadline` when that is not NULL; 0 means that it has passed. */
static int next_signal(const sigset_t *all, const struct timespec *deadline)
{
    for (;;) {
        int got;
        if (deadline == NULL) {
            got = sigwaitinfo(all, NULL);
        } else {
            struct timespec now, left;
            clock_gettime(CLOCK_MONOTONIC, &now);
            left.tv_sec = deadline->tv_sec - now.tv_sec;
            left.tv_nsec = deadline->tv_nsec - now.tv_nsec;
            if (left.tv_nsec < 0) {
                left.tv_sec--;
                left.tv_nsec += 1000000000L;
            }
            if (left.tv_sec < 0)
                return 0;
            got = sigtimedwait(all, NULL, &left);
        }
        if (got > 0)
            return got;
        if (errno == EAGAIN)
            return 0;
    }
}

static int supervise(pid_t command, const sigset_t *all)
{
    int code = -1, stopping = 0;
    struct timespec end, *deadline = NULL;

    while (reap(command, &code)) {
        if (code >= 0 && !stopping && deadline == NULL) {
            kill(-1, SIGTERM);
            clock_gettime(CLOCK_MONOTONIC, &end);
            end.tv_sec += REST_SECONDS;
            deadline = &end;
        }
        int got = next_signal(all, deadline);
        if (got == 0)
            break;
        if (got == SIGCHLD)
            continue;
        if (got == SIGTERM || got == SIGINT || got == SIGQUIT)
            stopping = 1;
        kill(-1, got);
    }
    return code;
}

int main(int argc, char **argv)
{
    sigset_t all, before;
    pid_t command;

    if (argc != 2) {
        fprintf(stderr, "usage: launcher 'COMMAND LINE'\n");
        return 64;
    }
    if (getpid() != 1)
        become(argv[1]);

    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &before);
    command = fork();
    if (command < 0) {
        perror("launcher: fork");
        return 71;
    }
    if (command == 0) {
        sigprocmask(SIG_SETMASK, &before, NULL);
        become(argv[1]);
    }
    return supervise(command, &all);
}
