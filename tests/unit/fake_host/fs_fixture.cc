#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "fs/dev/device.h"
#include "kernel/base/log.h"
#include "tests/unit/fake_host/fs_fixture.h"

namespace runsc {

// What the kernel gives fs.
namespace fs {
Time now_realtime() {
  auto now = std::chrono::system_clock::now().time_since_epoch();
  auto s = std::chrono::duration_cast<std::chrono::seconds>(now);
  return {s.count(),
          static_cast<uint32_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(now - s).count())};
}
void fill_random(std::span<std::byte> out) {
  for (std::byte& b : out) b = std::byte{4};
}
std::span<const StandardDevice> standard_devices() { return {}; }
}  // namespace fs
bool log_enabled(LogLevel) { return false; }
void log_line(LogLevel, std::string_view) {}

namespace fs::testing {

namespace stdfs = std::filesystem;

HostDir::HostDir() {
  char name[] = "/tmp/fs-test-XXXXXX";
  path_ = mkdtemp(name);
}
HostDir::~HostDir() { stdfs::remove_all(path_); }
void HostDir::write(const std::string& name, const std::string& bytes) const {
  std::ofstream(path_ + "/" + name, std::ios::binary) << bytes;
}
std::string HostDir::read(const std::string& name) const {
  std::ifstream in(path_ + "/" + name, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}
void HostDir::mkdir(const std::string& name) const { stdfs::create_directory(path_ + "/" + name); }
bool HostDir::exists(const std::string& name) const { return stdfs::exists(path_ + "/" + name); }

namespace {

// One machine and one root for all tests of a process.
Path machine_root() {
  static MountNamespace* ns = nullptr;
  if (!ns) {
    arch::fake::start({uint64_t{256} << 20, uint64_t{64} << 20, uint64_t{64} << 20});
    Ref<TmpfsSuper> super = *TmpfsSuper::create({});
    ns = (*MountNamespace::create()).leak();
    REQUIRE(mount_root(*ns, super, 0, "root"));
  }
  return ns->root();
}

}  // namespace

Tree::Tree() {
  Path root = machine_root();
  fake_host::start();
  creds = make_ref<Credentials>();
  creds->effective = creds->permitted = kAllCaps;
  fs = make_ref<FsContext>(root, root, 022u);
  (void)mkdir("/t");
  live_objects_ = arch::fake::counters().live_objects;
}

Tree::~Tree() {
  Path root = machine_root();
  Path place = fs->root();
  fs->set_root(root);
  fs->set_cwd(root);
  dcache_shrink();
  if (mounted_) CHECK(unmount(place, 0));
  place = {};
  dcache_shrink();
  CHECK(fake_host::stop() == 0);
  CHECK(arch::fake::counters().live_objects <= live_objects_ + 8);
}

void Tree::mount(Ref<SuperBlock> super, uint64_t flags) {
  Path target = *walk(context(), at(), "/t", kFollow);
  Ref<Inode> root = super->root();
  REQUIRE(mount_on(target, std::move(super), std::move(root), flags, "test"));
  mounted_ = true;
  Path inside = *walk(context(), at(), "/t", kFollow);
  fs->set_root(inside);
  fs->set_cwd(inside);
}

void Tree::mount_tmpfs(std::string_view data) { mount(*TmpfsSuper::create(data)); }
void Tree::mount_overlay(const HostDir& lower) {
  mount(*OverlaySuper::create(*HostSuper::create(fake_host::donate(lower.path()), Sharing::exclusive)));
}
void Tree::mount_shared(const HostDir& dir) {
  mount(*HostSuper::create(fake_host::donate(dir.path()), Sharing::shared));
}

Result<Ref<File>> Tree::open(std::string_view path, uint32_t flags, uint32_t mode) {
  return open_path(context(), at(), path, flags, mode);
}
Errno Tree::open_error(std::string_view path, uint32_t flags) { return error_of(open(path, flags)); }

void Tree::put(std::string_view path, std::string_view bytes) {
  auto file = open(path, open_flag::wronly | open_flag::creat | open_flag::trunc);
  REQUIRE(file);
  REQUIRE(*write_at(**file, bytes, 0) == bytes.size());
}

std::string Tree::get(std::string_view path) {
  auto file = open(path, open_flag::rdonly);
  if (!file) return "error " + std::to_string(static_cast<int>(file.error()));
  return read_all(**file);
}

Result<Attr> Tree::stat(std::string_view path, uint32_t flags) {
  return inode_of(TRY(walk(context(), at(), path, flags))).get_attr();
}
Result<void> Tree::mkdir(std::string_view path) { return make_dir(context(), at(), path, 0777); }
Result<void> Tree::unlink(std::string_view path) { return remove(context(), at(), path, false); }
Result<void> Tree::rmdir(std::string_view path) { return remove(context(), at(), path, true); }
Result<void> Tree::rename(std::string_view from, std::string_view to, uint32_t flags) {
  return fs::rename(context(), at(), from, at(), to, flags);
}
Result<void> Tree::symlink(std::string_view target, std::string_view path) {
  return make_symlink(context(), target, at(), path);
}
Result<void> Tree::link(std::string_view from, std::string_view to) {
  return make_link(context(), TRY(walk(context(), at(), from, 0)), at(), to);
}

std::vector<std::string> Tree::list(std::string_view path) {
  struct Sink final : DirSink {
    bool add(std::string_view name, uint64_t, uint8_t, uint64_t) override {
      if (count == 3) return false;  // small portions: positions must hold
      ++count;
      if (name != "." && name != "..") names.emplace_back(name);
      return true;
    }
    std::vector<std::string> names;
    int count = 0;
  } sink;
  auto dir = open(path, open_flag::rdonly | open_flag::directory);
  REQUIRE(dir);
  uint64_t offset = 0;
  do {
    sink.count = 0;
    offset = *(*dir)->read_dir(sink, offset);
  } while (sink.count > 0);
  std::sort(sink.names.begin(), sink.names.end());
  return sink.names;
}

std::string read_all(File& file, uint64_t offset) {
  std::string all;
  std::byte room[5000];
  for (;;) {
    mm::IoBuf buf = mm::IoBuf::kernel(room);
    auto n = file.read(buf, offset);
    if (!n) return all + " error " + std::to_string(static_cast<int>(n.error()));
    if (*n == 0) return all;
    all.append(reinterpret_cast<char*>(room), *n);
    offset += *n;
  }
}

Result<size_t> write_at(File& file, std::string_view bytes, uint64_t offset) {
  std::string copy(bytes);
  mm::IoBuf buf = mm::IoBuf::kernel({reinterpret_cast<std::byte*>(copy.data()), copy.size()});
  return file.write(buf, offset);
}

}  // namespace fs::testing
}  // namespace runsc
