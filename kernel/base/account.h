// Accounts: whose memory something is. Every container of the sandbox has one; pages of RAM and objects carry
// the number of the account that pays for them until they are freed, whoever frees them. What works for
// nobody (threads of the kernel) takes for the sandbox itself, where nothing is counted.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace runsc {

using AccountId = uint8_t;
inline constexpr AccountId kNoAccount = 0;  // the sandbox's own
inline constexpr size_t kAccounts = 256;

// In bytes.
struct alignas(64) Account {
  static constexpr int64_t kUnlimited = INT64_MAX;

  // What CPUs have told: each tells in batches (AccountStock).
  std::atomic<int64_t> bytes{0};
  // Above `limit` the account is short of memory: its tasks mend that before they go back to user code. What
  // they do until then gets pages up to `most`, and the sentry's objects up to `most_objects`.
  std::atomic<int64_t> limit{kUnlimited}, most{kUnlimited}, most_objects{kUnlimited};
  std::atomic<int64_t> peak{0};
  std::atomic<uint64_t> shortages{0};  // how often it was told to be above its limit
  std::atomic<bool> untold{false};     // above its limit, and none of its tasks was there to hear it

  void set_limit(int64_t bytes);  // kUnlimited: none
  bool is_short() const {
    return bytes.load(std::memory_order_relaxed) > limit.load(std::memory_order_relaxed);
  }
  bool has_room() const {
    return bytes.load(std::memory_order_relaxed) <= most.load(std::memory_order_relaxed);
  }
  bool has_room_for_objects() const {
    return bytes.load(std::memory_order_relaxed) <= most_objects.load(std::memory_order_relaxed);
  }
};
extern Account g_accounts[kAccounts];

// What a CPU has not told yet, of one account. The CPU's own, like all of its arch::CpuLocal.
struct AccountStock {
  static constexpr int64_t kMost = 64 << 10;
  int64_t bytes = 0;
  AccountId id = kNoAccount;
};
void account_flush(AccountStock& stock);
// `bytes` may be negative.
inline void account_add(AccountStock& stock, AccountId id, int64_t bytes) {
  if (id == kNoAccount) return;
  if (stock.id != id) [[unlikely]] {
    account_flush(stock);
    stock.id = id;
  }
  stock.bytes += bytes;
  if (stock.bytes > AccountStock::kMost || stock.bytes < -AccountStock::kMost) [[unlikely]]
    account_flush(stock);
}

// The account that this CPU works for has been refused something.
void account_refused(AccountId id);
// Called on the CPU that has just told an account more than its limit, or refused it something; any context.
// False: who is there is not the account's.
using AccountHook = bool (*)(AccountId id);
void account_set_hook(AccountHook short_of_memory);
void account_tell(AccountId id);
// This CPU works for `id` from now on: what nobody was there to hear is told.
inline void account_begin(AccountId id) {
  if (g_accounts[id].untold.load(std::memory_order_relaxed)) [[unlikely]]
    account_tell(id);
}

}  // namespace runsc
