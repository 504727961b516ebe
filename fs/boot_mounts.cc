#include "fs/boot_mounts.h"

#include "fs/dev/device.h"
#include "fs/filesystem.h"
#include "fs/mount.h"
#include "fs/overlay/overlay.h"
#include "kernel/base/log.h"

namespace runsc::fs {

namespace {

using hostcall::ContainerReader;
using hostcall::MountKind;

struct Builder {
  Ref<FsContext> fs;
  Ref<Credentials> creds;
  WalkContext context() const { return {*fs, *creds}; }
};

struct MountSpec {
  std::string_view destination;
  MountKind kind;
  hostcall::Handle handle;
  uint64_t flags, propagation;
  std::string_view data;
};

using Failure = BootMountFailure;
template <class T>
using Built = std::expected<T, Failure>;

std::unexpected<Failure> bad_description() {
  return std::unexpected(Failure{Errno::inval, "description of", "mounts"});
}

constexpr uint32_t kMaxMounts = 4096;
constexpr uint64_t kPerMount = kMsRdonly | kMsNosuid | kMsNodev | kMsNoexec | kMsNoatime;

Result<Ref<Mount>> mount_container_root(MountNamespace& ns, ContainerReader& reader, bool& read_only) {
  hostcall::Handle root = reader.handle();
  read_only = reader.u32() != 0;
  bool overlay = reader.u32() != 0;
  if (!reader.ok()) return Errno::inval;
  Ref<HostSuper> host = TRY(HostSuper::create(root, overlay ? Sharing::exclusive : Sharing::shared));
  if (!overlay) return mount_root(ns, std::move(host), 0, "rootfs");
  Ref<OverlaySuper> super = TRY(OverlaySuper::create(std::move(host)));
  return mount_root(ns, std::move(super), 0, "overlay");
}

// Walks to `path`, making what is missing on the way: directories, and in the last place a directory or an
// empty file.
Result<Path> make_mount_point(const Builder& b, std::string_view path, bool directory) {
  Path root = b.fs->root();
  for (size_t end = 1; end <= path.size(); ++end) {
    bool last = end == path.size();
    if (!last && path[end] != '/') continue;
    std::string_view part = path.substr(0, end);
    Result<Path> found = walk(b.context(), root, part, kFollow);
    if (!found && found.error() != Errno::noent) return found;
    if (!found) {
      if (!last || directory)
        TRY(make_dir(b.context(), root, part, 0755));
      else
        TRY(make_node(b.context(), root, part, kRegular | 0644, 0));
      found = walk(b.context(), root, part, kFollow);
    }
    if (last) return found;
  }
  return root;
}

Result<Ref<SuperBlock>> new_super(const MountSpec& m) {
  auto registered = [&](const char* name) -> Result<Ref<SuperBlock>> {
    return TRY(find_filesystem(name))(name, m.data);
  };
  switch (m.kind) {
    case MountKind::bind:
      return Ref<SuperBlock>(TRY(HostSuper::create(m.handle, Sharing::shared)));
    case MountKind::tmpfs:
    case MountKind::devtmpfs:
      return TmpfsSuper::mount("tmpfs", m.data);
    case MountKind::proc:
      return registered("proc");
    case MountKind::sysfs:
      return registered("sysfs");
    case MountKind::devpts:
      return registered("devpts");
    case MountKind::mqueue: {
      Result<Ref<SuperBlock>> own = registered("mqueue");
      return own ? std::move(own) : TmpfsSuper::mount("mqueue", "mode=1777");
    }
    case MountKind::cgroup:
      return registered("cgroup2");
  }
  return Errno::inval;
}

std::string_view source_name(MountKind kind) {
  switch (kind) {
    case MountKind::bind:
      return "host";
    case MountKind::tmpfs:
    case MountKind::devtmpfs:
      return "tmpfs";
    case MountKind::proc:
      return "proc";
    case MountKind::sysfs:
      return "sysfs";
    case MountKind::devpts:
      return "devpts";
    case MountKind::mqueue:
      return "mqueue";
    case MountKind::cgroup:
      return "cgroup";
  }
  return "none";
}

Result<void> mount_one(const Builder& b, const MountSpec& m) {
  if (m.destination.empty() || m.destination[0] != '/') return Errno::inval;
  Ref<SuperBlock> super = TRY(new_super(m));
  Ref<Inode> root = super->root();
  if (!root) return Errno::nomem;
  Result<Path> target = make_mount_point(b, m.destination, root->is_dir());
  // sysfs has no place of its own for control groups.
  if (!target && m.kind == MountKind::cgroup) return {};
  if (!target) return target.error();
  return mount_on(*target, std::move(super), std::move(root), m.flags & kPerMount, source_name(m.kind));
}

Result<void> propagate(const Builder& b, std::string_view path, uint64_t flags) {
  if (flags == 0) return {};
  constexpr uint64_t kMsPrivate = 1 << 18, kMsSlave = 1 << 19, kMsShared = 1 << 20;
  const Propagation type = flags & kMsShared    ? Propagation::shared
                           : flags & kMsSlave   ? Propagation::slave
                           : flags & kMsPrivate ? Propagation::unshared
                                                : Propagation::unbindable;
  return set_propagation(TRY(walk(b.context(), b.fs->root(), path, kFollow)), type, flags & kMsRec);
}

Built<void> mount_all(const Builder& b, ContainerReader& reader) {
  uint32_t count = reader.u32();
  if (!reader.ok() || count > kMaxMounts) return bad_description();
  for (uint32_t i = 0; i < count; ++i) {
    MountSpec m;
    m.destination = reader.string();
    m.kind = static_cast<MountKind>(reader.u32());
    m.handle = reader.handle();
    m.flags = reader.u64();
    m.propagation = reader.u64();
    m.data = reader.string();
    if (!reader.ok()) return bad_description();
    Result<void> mounted = mount_one(b, m);
    if (mounted && m.kind != MountKind::cgroup) mounted = propagate(b, m.destination, m.propagation);
    if (!mounted) return std::unexpected(Failure{mounted.error(), "mounting", m.destination});
  }
  return {};
}

// The devices and links that every container finds in /dev (OCI runtime specification, "Default Devices").
void fill_dev(const Builder& b) {
  Path root = b.fs->root();
  Result<Path> dev = make_mount_point(b, "/dev", true);
  if (!dev) return;
  for (const StandardDevice& d : standard_devices())
    (void)make_node(b.context(), *dev, d.name, kCharDev | d.mode, make_dev(d.major, d.minor));
  struct Link {
    std::string_view name, target;
  };
  static constexpr Link kLinks[] = {{"fd", "/proc/self/fd"},
                                    {"stdin", "/proc/self/fd/0"},
                                    {"stdout", "/proc/self/fd/1"},
                                    {"stderr", "/proc/self/fd/2"},
                                    {"ptmx", "pts/ptmx"}};
  for (const Link& l : kLinks) (void)make_symlink(b.context(), l.target, *dev, l.name);
}

Result<void> make_device(const Builder& b, std::string_view path, const hostcall::DeviceNode& d) {
  const Path root = b.fs->root();
  const uint32_t type = d.type == kFifo ? kFifo : kCharDev;
  const uint64_t number = type == kFifo ? 0 : make_dev(d.major, d.minor);
  if (path.empty() || path[0] != '/' || path.ends_with('/')) return Errno::inval;
  Result<Path> place = walk(b.context(), root, path, kFollow);
  if (!place && place.error() != Errno::noent) return place.error();
  if (place) {
    const Attr attr = TRY(inode_of(*place).get_attr());
    if (inode_of(*place).type() != type || (type == kCharDev && attr.rdev != number)) return Errno::exist;
  } else {
    const std::string_view folder = path.substr(0, path.rfind('/'));
    if (!folder.empty()) TRY(make_mount_point(b, folder, true));
    // A link that leads nowhere (/dev/ptmx without a devpts) holds the place.
    constexpr uint32_t kDefaultMode = 0666;
    const uint32_t mode = d.which & hostcall::DeviceNode::kMode ? d.mode & 07777 : kDefaultMode;
    place = TRY(make_node(b.context(), root, path, type | mode, number));
  }
  SetAttr attr;
  if (d.which & hostcall::DeviceNode::kMode) attr.mask |= SetAttr::kMode, attr.mode = d.mode & 07777;
  if (d.which & hostcall::DeviceNode::kUid) attr.mask |= SetAttr::kUid, attr.uid = d.uid;
  if (d.which & hostcall::DeviceNode::kGid) attr.mask |= SetAttr::kGid, attr.gid = d.gid;
  return attr.mask == 0 ? Result<void>() : change_attr(b.context(), *place, attr);
}

Built<void> make_devices(const Builder& b, ContainerReader& reader) {
  const uint32_t count = reader.u32();
  if (!reader.ok() || count > kMaxMounts) return bad_description();
  for (uint32_t i = 0; i < count; ++i) {
    const std::string_view path = reader.string();
    const hostcall::DeviceNode device = reader.device_node();
    if (!reader.ok()) return bad_description();
    if (Result<void> made = make_device(b, path, device); !made)
      return std::unexpected(Failure{made.error(), "making device", path});
  }
  return {};
}

// Masked: an empty read-only directory over directories, /dev/null over the rest.
Result<void> mask_path(const Builder& b, std::string_view path, Ref<SuperBlock>& empty) {
  Path root = b.fs->root();
  Result<Path> target = walk(b.context(), root, path, kFollow);
  if (!target) return {};
  if (!inode_of(*target).is_dir()) {
    Path null = TRY(walk(b.context(), root, "/dev/null", kFollow));
    return bind_mount(null, *target, 0, false);
  }
  if (!empty) empty = TRY(TmpfsSuper::mount("tmpfs", "size=4k,mode=755"));
  return mount_on(*target, empty, empty->root(), kMsRdonly, "tmpfs");
}

Built<void> restrict_paths(const Builder& b, ContainerReader& reader) {
  Ref<SuperBlock> empty;
  uint32_t masked = reader.u32();
  if (!reader.ok() || masked > kMaxMounts) return bad_description();
  for (uint32_t i = 0; i < masked; ++i) {
    const std::string_view path = reader.string();
    if (Result<void> r = mask_path(b, path, empty); !r)
      return std::unexpected(Failure{r.error(), "masking", path});
  }
  uint32_t read_only = reader.u32();
  if (!reader.ok() || read_only > kMaxMounts) return bad_description();
  for (uint32_t i = 0; i < read_only; ++i) {
    const std::string_view path = reader.string();
    Result<Path> target = walk(b.context(), b.fs->root(), path, kFollow);
    if (!target) continue;
    if (Result<void> r = bind_mount(*target, *target, mount_flags(*target) | kMsRdonly, true); !r)
      return std::unexpected(Failure{r.error(), "making read-only", path});
  }
  if (!reader.ok()) return bad_description();
  return {};
}

Result<Builder> make_builder(const Ref<Mount>& root) {
  Builder b;
  b.fs = make_ref<FsContext>(mount_root_path(root), mount_root_path(root), 0u);
  b.creds = make_ref<Credentials>();
  if (!b.fs || !b.creds) return Errno::nomem;
  b.creds->effective = b.creds->permitted = kAllCaps;
  return b;
}

}  // namespace

Built<Ref<FsContext>> boot_mounts(MountNamespace& ns, ContainerReader& reader, uint32_t umask) {
  bool read_only = false;
  Result<Ref<Mount>> root = mount_container_root(ns, reader, read_only);
  if (!root) return std::unexpected(Failure{root.error(), "mounting", "/"});
  Result<Builder> b = make_builder(*root);
  if (!b) return std::unexpected(Failure{b.error(), "mounting", "/"});
  if (Built<void> r = mount_all(*b, reader); !r) return std::unexpected(r.error());
  const uint64_t root_propagation = reader.u64();
  fill_dev(*b);
  if (Built<void> r = make_devices(*b, reader); !r) return std::unexpected(r.error());
  if (Built<void> r = restrict_paths(*b, reader); !r) return std::unexpected(r.error());
  if (Result<void> r = propagate(*b, "/", root_propagation); !r)
    return std::unexpected(Failure{r.error(), "propagation of", "/"});
  if (read_only) (*root)->set_flags((*root)->flags() | kMsRdonly);
  b->fs->set_umask(umask);
  return b->fs;
}

}  // namespace runsc::fs
