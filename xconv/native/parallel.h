/* Work in parts that need nothing of each other, on several threads. Results do not depend on their
   number. The threads are those of torch's OpenMP, where it was found: they wait busily for their next
   work, and others would have to wait for them. Else threads live for one call. */

#ifndef PARALLEL_H
#define PARALLEL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

enum { MOST_THREADS = 64 };

typedef void (*Task)(const void *work, int64_t part);

/* GOMP_parallel: runs a function on a number of threads of OpenMP, and waits for all. */
typedef void (*Team)(void (*function)(void *), void *argument, unsigned threads, unsigned flags);

extern Team xconv_team;

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

static void work_off_in_team(void *queue) { work_off(queue); }

static void in_parallel(Task task, const void *work, int64_t parts, int64_t threads) {
    Queue queue = {task, work, parts, 0};
    pthread_t others[MOST_THREADS];
    int64_t wanted = threads < parts ? threads : parts, started = 0;
    if (wanted > 1 && xconv_team) {
        xconv_team(work_off_in_team, &queue, (unsigned)wanted, 0);
        return;
    }
    while (started < wanted - 1 && started < MOST_THREADS) {
        if (pthread_create(&others[started], NULL, work_off, &queue))
            break; /* fewer threads do */
        started++;
    }
    work_off(&queue);
    while (started > 0)
        pthread_join(others[--started], NULL);
}

/* Elements that need nothing of each other, in parts that share no byte of packed bits or codes. */
enum { ELEMENTS_OF_A_PART = 1 << 18 };

static inline int64_t parts_of(int64_t count) {
    return (count + ELEMENTS_OF_A_PART - 1) / ELEMENTS_OF_A_PART;
}

static inline int64_t start_of(int64_t part) { return part * ELEMENTS_OF_A_PART; }

static inline int64_t end_of(int64_t part, int64_t count) {
    int64_t end = start_of(part + 1);
    return end < count ? end : count;
}

#endif
