/* A stand-in for the ALP library of ViALUX: the calls that ALP4lib makes, on mirrors that are an array.
 *
 * Source of names, numbers and rules: ALP-4.3 high-speed API description. Functions that start with Mirrors are not part
 * of that library: they let tests look at the mirrors, inject errors, and hear of the synch output.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define OK 0
#define NOT_ONLINE 1001
#define NOT_IDLE 1002
#define PARM_INVALID 1005
#define MEMORY_FULL 1007
#define SEQ_IN_USE 1008

#define SEQUENCES 16
#define MEMORY 4000
#define SERIAL 13751
#define SHORTEST_US 50

typedef struct {
    long pictures;
    long format;        /* 0: a byte a mirror, its highest bit counts; 2: a bit a mirror, top row first */
    long binary_mode;
    long picture_us;
    unsigned char *bits;
} Sequence;

static long width = 1024, height = 768;
static int allocated, fail_code, fail_after;
static Sequence sequences[SEQUENCES + 1];
static long running, continuous;    /* number of the sequence that is shown, 0 for none */
static double started_s;
static unsigned char *mirrors;      /* one bit each; what they show when nothing runs */
static void (*listener)(long pictures, long picture_us, long repeats, const unsigned char *bits);

static double now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + 1e-9 * t.tv_nsec;
}

static size_t picture_bytes(void) { return (size_t)(width / 8 * height); }

static int failing(void) {
    if (fail_code == 0 || fail_after-- > 0) return 0;
    int code = fail_code;
    fail_code = 0;
    return code;
}

static const unsigned char *picture_now(void) {
    if (!running) return mirrors;
    Sequence *s = &sequences[running];
    long index = (long)((now_s() - started_s) * 1e6 / s->picture_us);
    if (continuous) index %= s->pictures;
    if (index >= s->pictures) index = s->pictures - 1;
    return s->bits + picture_bytes() * index;
}

static int busy(void) {
    if (!running) return 0;
    Sequence *s = &sequences[running];
    return continuous || (now_s() - started_s) * 1e6 < (double)s->pictures * s->picture_us;
}

static void stop(void) {
    if (running) memcpy(mirrors, picture_now(), picture_bytes());
    running = continuous = 0;
}

static Sequence *find(long id) {
    return id >= 1 && id <= SEQUENCES && sequences[id].pictures ? &sequences[id] : NULL;
}

static long used(void) {
    long sum = 0;
    for (int i = 1; i <= SEQUENCES; i++) sum += sequences[i].pictures;
    return sum;
}

long AlpDevAlloc(long serial, long flag, unsigned long *id) {
    int code = failing();
    (void)flag;
    if (code) return code;
    if (serial != 0 && serial != SERIAL) return NOT_ONLINE;
    if (allocated) return 1004;
    allocated = 1;
    free(mirrors);
    mirrors = calloc(1, picture_bytes());
    *id = 1;
    return OK;
}

long AlpDevInquire(unsigned long id, long type, long *value) {
    int code = failing();
    (void)id;
    if (code) return code;
    if (!allocated) return 1003;
    switch (type) {
    case 2000: *value = SERIAL; return OK;
    case 2001: *value = 0x0403000B; return OK;
    case 2003: *value = MEMORY - used(); return OK;
    case 2021: *value = 4; return OK;
    case 2057: *value = height; return OK;
    case 2058: *value = width; return OK;
    }
    return PARM_INVALID;
}

long AlpDevControl(unsigned long id, long type, long value) {
    (void)id; (void)type; (void)value;
    return failing();
}

long AlpDevHalt(unsigned long id) {
    int code = failing();
    (void)id;
    if (code) return code;
    stop();
    return OK;
}

long AlpDevFree(unsigned long id) {
    int code = failing();
    (void)id;
    if (code) return code;
    if (busy()) return NOT_IDLE;
    for (int i = 1; i <= SEQUENCES; i++) {
        free(sequences[i].bits);
        memset(&sequences[i], 0, sizeof(Sequence));
    }
    allocated = 0;
    return OK;
}

long AlpSeqAlloc(unsigned long id, long depth, long pictures, long *sequence) {
    int code = failing();
    (void)id;
    if (code) return code;
    if (depth != 1 || pictures < 1) return PARM_INVALID;
    if (used() + pictures > MEMORY) return MEMORY_FULL;
    for (long i = 1; i <= SEQUENCES; i++) {
        if (sequences[i].pictures) continue;
        sequences[i] = (Sequence){pictures, 0, 2105, 33334, calloc(pictures, picture_bytes())};
        *sequence = i;
        return OK;
    }
    return MEMORY_FULL;
}

long AlpSeqFree(unsigned long id, long sequence) {
    int code = failing();
    Sequence *s = find(sequence);
    (void)id;
    if (code) return code;
    if (!s) return PARM_INVALID;
    if (running == sequence && busy()) return SEQ_IN_USE;
    if (running == sequence) stop();
    free(s->bits);
    memset(s, 0, sizeof(Sequence));
    return OK;
}

long AlpSeqControl(unsigned long id, long sequence, long type, long value) {
    int code = failing();
    Sequence *s = find(sequence);
    (void)id;
    if (code) return code;
    if (!s) return PARM_INVALID;
    if (type == 2110 && (value == 0 || value == 2)) { s->format = value; return OK; }
    if (type == 2104 && (value == 2105 || value == 2106)) { s->binary_mode = value; return OK; }
    return PARM_INVALID;
}

long AlpSeqTiming(unsigned long id, long sequence, long illuminate, long picture, long delay, long width_us, long in) {
    int code = failing();
    Sequence *s = find(sequence);
    (void)id; (void)delay; (void)width_us; (void)in;
    if (code) return code;
    if (!s || illuminate != 0 || picture < SHORTEST_US || picture > 10000000) return PARM_INVALID;
    if (running == sequence && busy()) return SEQ_IN_USE;
    s->picture_us = picture;
    return OK;
}

long AlpSeqInquire(unsigned long id, long sequence, long type, long *value) {
    int code = failing();
    Sequence *s = find(sequence);
    (void)id;
    if (code) return code;
    if (!s) return PARM_INVALID;
    switch (type) {
    case 2201: *value = s->pictures; return OK;
    case 2203: *value = s->picture_us; return OK;
    case 2211: *value = SHORTEST_US; return OK;
    }
    return PARM_INVALID;
}

long AlpSeqPut(unsigned long id, long sequence, long offset, long load, const unsigned char *data) {
    int code = failing();
    Sequence *s = find(sequence);
    (void)id;
    if (code) return code;
    if (!s || offset < 0 || load < 0 || offset + load > s->pictures) return PARM_INVALID;
    if (running == sequence && busy()) return SEQ_IN_USE;
    if (load == 0) load = s->pictures - offset; /* 0 stands for all the rest */
    unsigned char *to = s->bits + picture_bytes() * offset;
    if (s->format == 2) {
        memcpy(to, data, picture_bytes() * load);
        return OK;
    }
    memset(to, 0, picture_bytes() * load);
    for (size_t i = 0; i < (size_t)(width * height * load); i++)
        if (data[i] & 0x80) to[i / 8] |= 0x80 >> (i % 8);
    return OK;
}

static long start(long sequence, long repeats) {
    int code = failing();
    Sequence *s = find(sequence);
    if (code) return code;
    if (!s) return PARM_INVALID;
    if (busy() && !continuous) return NOT_IDLE;
    stop();
    running = sequence;
    continuous = !repeats;
    started_s = now_s();
    if (listener) listener(s->pictures, s->picture_us, repeats, s->bits);
    return OK;
}

long AlpProjStart(unsigned long id, long sequence) { (void)id; return start(sequence, 1); }

long AlpProjStartCont(unsigned long id, long sequence) { (void)id; return start(sequence, 0); }

long AlpProjWait(unsigned long id) {
    int code = failing();
    (void)id;
    if (code) return code;
    if (continuous) return PARM_INVALID;
    while (busy()) nanosleep(&(struct timespec){0, 20000}, NULL);
    stop();
    return OK;
}

/* --- for tests ------------------------------------------------------------------------------------------------- */
void MirrorsShape(long columns, long rows) { width = columns; height = rows; }

void MirrorsNow(unsigned char *bits) { memcpy(bits, picture_now(), picture_bytes()); }

void MirrorsFail(int code, int after) { fail_code = code; fail_after = after; }

void MirrorsListener(void (*to)(long, long, long, const unsigned char *)) { listener = to; }

void MirrorsReset(void) {
    allocated = 0;
    running = continuous = 0;
    fail_code = 0;
    listener = NULL;
    for (int i = 1; i <= SEQUENCES; i++) {
        free(sequences[i].bits);
        memset(&sequences[i], 0, sizeof(Sequence));
    }
}
