#include "kernel/leases.h"

#include "kernel/async_io.h"
#include "mm/write_mappings.h"

namespace runsc::kernel {

void lease_hooks_init() { fs::lease_init({monotonic_ns, tell_lease_broken}); }

Result<void> set_lease(Task& task, fs::File& file, int fd, uint64_t argument) {
  if (argument > static_cast<uint64_t>(fs::LeaseType::none)) return Errno::inval;
  const auto type = static_cast<fs::LeaseType>(argument);
  if (!file.inode()) return Errno::inval;
  if (type == fs::LeaseType::none) return fs::lease_set(file, type, false);
  if (TRY(file.get_attr()).uid != task.creds().fsuid && !task.creds().has(fs::Cap::lease))
    return Errno::acces;
  if (!fs::may_have_leases(*file.inode())) return Errno::inval;
  TRY(set_lease_owner(task, file, fd));
  Result<mm::MappableRef> mapping = file.mappable(false);
  return fs::lease_set(file, type, mapping && mm::is_mapped_for_writing(*mapping->get()));
}

}  // namespace runsc::kernel
