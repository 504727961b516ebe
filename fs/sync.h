// sync(2).
#pragma once

#include "fs/hostfs/hostfs.h"

namespace runsc::fs {

// Everything that others than we keep: each file system of the host once, at however many places it is shown.
// One piece at a time, so that callers can give way in between.
class SyncAll {
 public:
  // Writes back the next one. False: all have been. sync(2) tells of no errors.
  bool next();

 private:
  Ref<HostSuper> at_;
  Vec<uint64_t> done_;  // devices of the host
};

}  // namespace runsc::fs
