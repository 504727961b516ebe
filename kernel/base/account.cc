#include "kernel/base/account.h"

#include <algorithm>

namespace runsc {

constinit Account g_accounts[kAccounts];

namespace {

constinit std::atomic<AccountHook> g_hook{nullptr};

// What a task may take beyond the limit until it comes to where it can wait for others to die.
constexpr int64_t kLeastSlack = 1 << 20, kMostSlack = 4 << 20;

}  // namespace

void Account::set_limit(int64_t wanted) {
  limit.store(wanted, std::memory_order_relaxed);
  const int64_t slack = std::clamp(wanted / 16, kLeastSlack, kMostSlack);
  const bool limited = wanted < kUnlimited - 2 * slack;
  most.store(limited ? wanted + slack : kUnlimited, std::memory_order_relaxed);
  most_objects.store(limited ? wanted + 2 * slack : kUnlimited, std::memory_order_relaxed);
}

void account_flush(AccountStock& stock) {
  const int64_t change = stock.bytes;
  if (change == 0) return;
  stock.bytes = 0;
  Account& account = g_accounts[stock.id];
  const int64_t now = account.bytes.fetch_add(change, std::memory_order_relaxed) + change;
  if (change < 0) return;
  // A peak that another CPU writes at the same time may be lost; the next one is higher still.
  if (now > account.peak.load(std::memory_order_relaxed)) account.peak.store(now, std::memory_order_relaxed);
  if (now <= account.limit.load(std::memory_order_relaxed)) return;
  account.shortages.fetch_add(1, std::memory_order_relaxed);
  account_tell(stock.id);
}

void account_refused(AccountId id) { account_tell(id); }

void account_tell(AccountId id) {
  const AccountHook hook = g_hook.load(std::memory_order_relaxed);
  g_accounts[id].untold.store(hook && !hook(id), std::memory_order_relaxed);
}

void account_set_hook(AccountHook short_of_memory) {
  g_hook.store(short_of_memory, std::memory_order_relaxed);
}

}  // namespace runsc
