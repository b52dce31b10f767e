/* Work in parts that need nothing of each other, on several threads. Results do not depend on their
   number. Threads live for one call, so nothing is left behind that a fork could break. */

#ifndef PARALLEL_H
#define PARALLEL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

enum { MOST_THREADS = 64 };

typedef void (*Task)(const void *work, int64_t part);

typedef struct {
    Task task;
    const void *work;
    int64_t parts;
    atomic_llong next;
} Queue;

static void *work_off(void *queue) {
    Queue *all = queue;
    for (int64_t part; (part = atomic_fetch_add(&all->next, 1)) < all->parts;)
        all->task(all->work, part);
    return NULL;
}

static void in_parallel(Task task, const void *work, int64_t parts, int64_t threads) {
    Queue queue = {task, work, parts, 0};
    pthread_t others[MOST_THREADS];
    int64_t wanted = threads < parts ? threads : parts, started = 0;
    while (started < wanted - 1 && started < MOST_THREADS) {
        if (pthread_create(&others[started], NULL, work_off, &queue))
            break; /* fewer threads do */
        started++;
    }
    work_off(&queue);
    while (started > 0)
        pthread_join(others[--started], NULL);
}

#endif
