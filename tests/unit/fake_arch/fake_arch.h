// A machine for unit tests of mm: plain memory, and a TLB that forgets nothing it was not told to forget.
//
// Every user access through the seam is translated by that TLB first, as the worst real machine would. At
// rest (no call into mm under way) each of its entries must agree with the page tables, and a page must not
// be free while an entry is shot down that leads to it: check_translations() and tlb_shootdown() say so.
#pragma once

#include <cstdint>
#include <string>

#include "kvm/arch/seam.h"

namespace runsc::arch::fake {

struct Config {
  uint64_t ram_limit = uint64_t{64} << 20;
  uint64_t ram_ready = uint64_t{16} << 20;
  uint64_t window_bytes = uint64_t{1} << 20;
};
// Memory all zero, mm::phys_init done. Replaces the machine of an earlier call, whose objects must be gone.
void start(const Config& config = {});

// Takes every translation that the page tables offer into the TLB.
void fill_translations(UserSpace& space);
// Empty: all is well; else what is stale.
std::string check_translations(UserSpace& space);

// Serves the hostcalls that the machine itself does not know; false: ENOSYS.
void set_host(bool (*serve)(hostcall::Frame&));

// From the n-th kalloc on from now (1: the next), kalloc fails; 0: never.
void fail_kalloc_after(uint64_t n);

struct Counters {
  uint64_t shootdowns, table_flushes, grown_to, released_bytes;
  uint64_t live_objects;  // of kalloc
};
Counters counters();

}  // namespace runsc::arch::fake
