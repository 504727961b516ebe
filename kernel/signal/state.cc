#include "kernel/signal/state.h"

namespace runsc::kernel {

using namespace abi;

SignalQueue::~SignalQueue() { discard(~uint64_t{0}); }

void SignalQueue::add(int signal, QueuedSignal* entry) {
  pending_ |= sig_bit(signal);
  if (!entry) return;
  entry->info.signo = signal;
  entry->queued = true;
  list_.push_back(*entry);
  ++count_;
}

int SignalQueue::first_of(uint64_t set) {
  if (set == 0) return 0;
  if (set & sig_bit(sig::kill)) return sig::kill;
  // Faults of the task itself come first (signal(7)).
  constexpr uint64_t kSynchronous = sig_bit(sig::segv) | sig_bit(sig::bus) | sig_bit(sig::ill) |
                                    sig_bit(sig::trap) | sig_bit(sig::fpe) | sig_bit(sig::sys);
  if (set & kSynchronous) set &= kSynchronous;
  return __builtin_ctzll(set) + 1;
}

SigInfo SignalQueue::take(int signal) {
  SigInfo info(signal, sig_code::user);
  QueuedSignal* found = nullptr;
  bool more = false;
  for (QueuedSignal& q : list_) {
    if (q.info.signo != signal) continue;
    if (found) {
      more = true;
      break;
    }
    found = &q;
  }
  if (!more) pending_ &= ~sig_bit(signal);
  if (!found) return info;
  info = found->info;
  list_.erase(list_.iterator_to(*found));
  --count_;
  found->queued = false;
  if (!found->preallocated) HeapObject::destroy(found);
  return info;
}

void SignalQueue::discard(uint64_t mask) {
  pending_ &= ~mask;
  for (auto it = list_.begin(); it != list_.end();) {
    QueuedSignal& q = *it;
    if (!(sig_bit(q.info.signo) & mask)) {
      ++it;
      continue;
    }
    it = list_.erase(it);
    --count_;
    q.queued = false;
    if (!q.preallocated) HeapObject::destroy(&q);
  }
}

const SigInfo* SignalQueue::peek(uint64_t place) const {
  for (const QueuedSignal& q : list_)
    if (place-- == 0) return &q.info;
  return nullptr;
}

void SignalQueue::remove(QueuedSignal& entry) {
  bool more = false, found = false;
  for (QueuedSignal& q : list_) {
    if (&q == &entry)
      found = true;
    else if (q.info.signo == entry.info.signo)
      more = true;
  }
  if (!found) return;
  list_.erase(list_.iterator_to(entry));
  --count_;
  entry.queued = false;
  if (!more) pending_ &= ~sig_bit(entry.info.signo);
}

Result<Ref<SignalActions>> SignalActions::clone(bool reset_handlers) const {
  Ref<SignalActions> copy = TRY(create());
  for (int s = 1; s <= sig::max; ++s) {
    SigAction a = get(s);
    if (reset_handlers) a = SigAction{a.handler == kSigIgn ? kSigIgn : kSigDfl, 0, 0, 0};
    copy->exchange(s, a);
  }
  return copy;
}

}  // namespace runsc::kernel
