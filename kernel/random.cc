#include "kernel/random.h"

#include <algorithm>

#include "kernel/base/lock.h"
#include "kernel/chacha20.h"
#include "kvm/arch/seam.h"

namespace runsc::kernel {

namespace {
constinit SpinLock g_lock{LockRank::leaf};
constinit uint32_t g_key[8] GUARDED_BY(g_lock) = {};
constinit uint64_t g_counter GUARDED_BY(g_lock) = 0;

// A key for one caller; the generator's own key is replaced by the same block, so that what was given out
// cannot be computed from what is kept.
void take_key(uint32_t (&key)[8]) {
  uint32_t block[16];
  LockGuard guard(g_lock);
  uint32_t nonce[3] = {static_cast<uint32_t>(arch::tsc()), static_cast<uint32_t>(arch::tsc() >> 32),
                       0x6b657931};
  chacha20_block(g_key, static_cast<uint32_t>(g_counter++), nonce, block);
  std::copy(block, block + 8, g_key);
  std::copy(block + 8, block + 16, key);
}
}  // namespace

void random_init(std::span<const uint8_t> seed) {
  LockGuard guard(g_lock);
  // Two keys' worth of seed: the second as input of a block under the first.
  uint32_t words[16] = {};
  __builtin_memcpy(words, seed.data(), std::min(seed.size(), sizeof words));
  uint32_t key[8], block[16];
  std::copy(words, words + 8, key);
  uint32_t nonce[3] = {words[8], words[9], words[10]};
  chacha20_block(key, words[11], nonce, block);
  for (int i = 0; i < 8; ++i) g_key[i] = block[i] ^ words[8 + i];
}

void random_bytes(std::span<std::byte> out) {
  static const uint32_t kNonce[3] = {};
  uint32_t key[8], block[16];
  take_key(key);
  for (uint32_t counter = 0; !out.empty(); ++counter) {
    chacha20_block(key, counter, kNonce, block);
    size_t n = std::min(out.size(), sizeof block);
    __builtin_memcpy(out.data(), block, n);
    out = out.subspan(n);
  }
}

uint64_t random_u64() {
  uint64_t v;
  random_bytes(std::as_writable_bytes(std::span(&v, 1)));
  return v;
}

}  // namespace runsc::kernel
