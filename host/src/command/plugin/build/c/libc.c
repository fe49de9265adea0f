// The few functions of the C library that bindings and small plugins call. For more (libm, stdio), build
// with a wasi-sdk: `trackmill plugin build --clang /opt/wasi-sdk/bin/clang`.

#include <stdlib.h>
#include <string.h>

// A block of a power of two bytes; free ones of a size are a list.
typedef struct block {
  size_t class;
  struct block *next;
} block;

static block *free_blocks[32];
static unsigned char *top;
extern unsigned char __heap_base;

static size_t class_of(size_t size) { return size <= 8 ? 3 : 32 - (size_t)__builtin_clz((unsigned)size - 1); }

static void *grow(size_t bytes) {
  if (!top) top = (unsigned char *)(((size_t)&__heap_base + 7) & ~(size_t)7);
  size_t limit = __builtin_wasm_memory_size(0) * 65536;
  size_t wanted = (size_t)top + bytes;
  if (wanted < bytes) return NULL;
  if (wanted > limit && __builtin_wasm_memory_grow(0, (wanted - limit + 65535) / 65536) == (size_t)-1)
    return NULL;
  void *start = top;
  top += bytes;
  return start;
}

void *malloc(size_t size) {
  if (size > (size_t)1 << 30) return NULL;
  size_t class = class_of(size);
  block *found = free_blocks[class];
  if (found) {
    free_blocks[class] = found->next;
  } else {
    found = grow(sizeof(block) + ((size_t)1 << class));
    if (!found) return NULL;
    found->class = class;
  }
  return found + 1;
}

void free(void *pointer) {
  if (!pointer) return;
  block *freed = (block *)pointer - 1;
  freed->next = free_blocks[freed->class];
  free_blocks[freed->class] = freed;
}

void *calloc(size_t count, size_t size) {
  size_t bytes;
  if (__builtin_mul_overflow(count, size, &bytes)) return NULL;
  void *pointer = malloc(bytes);
  return pointer ? memset(pointer, 0, bytes) : NULL;
}

void *realloc(void *pointer, size_t size) {
  if (!pointer) return malloc(size);
  size_t room = (size_t)1 << ((block *)pointer - 1)->class;
  if (size <= room) return pointer;
  void *larger = malloc(size);
  if (!larger) return NULL;
  memcpy(larger, pointer, room);
  free(pointer);
  return larger;
}

void abort(void) { __builtin_trap(); }

// With bulk memory these are one instruction each.
void *memcpy(void *to, const void *from, size_t size) { return __builtin_memcpy(to, from, size); }
void *memmove(void *to, const void *from, size_t size) { return __builtin_memmove(to, from, size); }
void *memset(void *to, int byte, size_t size) { return __builtin_memset(to, byte, size); }

size_t strlen(const char *text) {
  size_t length = 0;
  while (text[length]) length++;
  return length;
}
