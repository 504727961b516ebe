#include "kernel/leases.h"

#include "kernel/async_io.h"
#include "kernel/pid.h"
#include "mm/write_mappings.h"

namespace runsc::kernel {

namespace {

// Calls f(const fs::File&) for what else the process has open of the inode.
template <class F>
void for_each_open(fs::FdTable& files, const fs::Inode& inode, F&& f) {
  for (int fd = files.next_open(0); fd >= 0; fd = files.next_open(fd + 1)) {
    Result<Ref<fs::File>> file = files.get(fd);
    if (file && (*file)->inode() == &inode && !((*file)->flags() & fs::open_flag::path)) f(**file);
  }
}

// Whether somebody has it open in a way that goes not with the lease: for a write lease anybody else at all,
// for a read lease who may write, the caller too.
bool is_contended(fs::File& file, fs::LeaseType type) {
  bool found = false;
  for (int32_t from = 1; !found;) {
    Ref<ThreadGroup> group = next_group(from);
    if (!group) break;
    from = group->pid + 1;
    Ref<Task> leader = next_thread_of(*group, 0);
    Ref<fs::FdTable> files = leader ? leader->files_ref() : Ref<fs::FdTable>();
    if (!files) continue;
    for_each_open(*files, *file.inode(), [&](const fs::File& other) {
      found |= type == fs::LeaseType::write ? &other != &file : other.writable();
    });
  }
  if (found) return true;
  Result<mm::MappableRef> mapping = file.mappable(false);
  return mapping && mm::is_mapped_for_writing(*mapping->get());
}

}  // namespace

void lease_hooks_init() { fs::lease_init({monotonic_ns, tell_lease_broken}); }

Result<void> set_lease(Task& task, fs::File& file, int fd, uint64_t argument) {
  if (argument > static_cast<uint64_t>(fs::LeaseType::none)) return Errno::inval;
  const auto type = static_cast<fs::LeaseType>(argument);
  if (!file.inode()) return Errno::inval;
  if (type == fs::LeaseType::none) return fs::lease_set(file, type, false);
  if (TRY(file.get_attr()).uid != task.creds().fsuid && !task.creds().has(fs::Cap::lease))
    return Errno::acces;
  const std::string_view kind = file.inode()->super().type_name();
  // Elsewhere the host's processes open files, too.
  if (file.inode()->type() != fs::kRegular || (kind != "tmpfs" && kind != "overlay")) return Errno::inval;
  TRY(set_lease_owner(task, file, fd));
  return fs::lease_set(file, type, is_contended(file, type));
}

}  // namespace runsc::kernel
