// Rights: open files on their way from one socket to another (SCM_RIGHTS, unix(7)).
#pragma once

#include "fs/file.h"
#include "kernel/base/vec.h"

namespace runsc::net {

struct Caller;

class Rights final : public HeapObject {
 public:
  static constexpr size_t kMax = 253;  // SCM_MAX_FD

  // The files of descriptors. EBADF, EINVAL: more than kMax, ENOMEM.
  Result<void> add(const Caller& caller, std::span<const std::byte> descriptors);
  std::span<Ref<fs::File>> files() { return files_.span(); }
  bool empty() const { return files_.empty(); }
  // Another set of the same files (MSG_PEEK). ENOMEM.
  Result<Unique<Rights>> clone() const;

  // Counts the files as in flight, for the limit of the user (ETOOMANYREFS) and for the garbage collector.
  Result<void> take_off(const Caller& caller);
  // They have arrived: the files are no longer in flight.
  void land();

  // Unique's hook. Closing a file can end sockets with more files in flight, as deep as somebody had
  // patience: the files of one thread are closed one after the other, never one within the other.
  static void destroy(Rights* rights);

 private:
  friend class Reaper;
  friend class UnixGarbage;
  Vec<Ref<fs::File>> files_;
  struct InflightUser* user_ = nullptr;  // counted in flight for this user
  Rights* next_ = nullptr;
};

// Closes sockets that nobody can reach any more because they are in flight in each other only.
void collect_garbage();

}  // namespace runsc::net
