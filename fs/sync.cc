#include "fs/sync.h"

#include <algorithm>

namespace runsc::fs {

bool SyncAll::next() {
  for (;;) {
    at_ = HostSuper::next_shared(at_.get());
    if (!at_) return false;
    const uint64_t device = at_->host_device();
    if (std::find(done_.begin(), done_.end(), device) != done_.end()) continue;
    // Nobody can tell whether one that is not mounted any more was written back.
    if (!at_->is_mounted()) continue;
    (void)at_->sync();
    (void)done_.push_back(device);  // no memory: it may be done twice
    return true;
  }
}

}  // namespace runsc::fs
