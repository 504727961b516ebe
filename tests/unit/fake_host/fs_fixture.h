// What the tests of fs stand on: a machine, a host directory, a tree of mounts, somebody who asks.
#pragma once

#include <string>
#include <vector>

#include "fs/hostfs/hostfs.h"
#include "fs/mount.h"
#include "fs/overlay/overlay.h"
#include "fs/tmpfs/tmpfs_dir.h"
#include "tests/unit/fake_arch/fake_arch.h"
#include "tests/unit/fake_host/fake_host.h"

// Last: its CHECK takes the place of ours.
#include "tests/unit/fake_arch/catch.h"

namespace runsc::fs::testing {

// A fresh directory of the host, gone at the end.
class HostDir {
 public:
  HostDir();
  ~HostDir();
  const std::string& path() const { return path_; }
  void write(const std::string& name, const std::string& bytes) const;
  std::string read(const std::string& name) const;
  void mkdir(const std::string& name) const;
  bool exists(const std::string& name) const;

 private:
  std::string path_;
};

class Tree {
 public:
  Tree();
  ~Tree();
  // Mounts on /t, which becomes the root of the asker.
  void mount(Ref<SuperBlock> super, uint64_t flags = 0);
  void mount_tmpfs(std::string_view data = {});
  void mount_overlay(const HostDir& lower);
  void mount_shared(const HostDir& dir);

  WalkContext context() { return {*fs, *creds}; }
  Path at() { return fs->cwd(); }
  Result<Ref<File>> open(std::string_view path, uint32_t flags, uint32_t mode = 0644);
  Errno open_error(std::string_view path, uint32_t flags);
  void put(std::string_view path, std::string_view bytes);  // creates, truncates
  std::string get(std::string_view path);
  Result<Attr> stat(std::string_view path, uint32_t flags = kFollow);
  Result<void> mkdir(std::string_view path);
  Result<void> unlink(std::string_view path);
  Result<void> rmdir(std::string_view path);
  Result<void> rename(std::string_view from, std::string_view to, uint32_t flags = 0);
  Result<void> symlink(std::string_view target, std::string_view path);
  Result<void> link(std::string_view from, std::string_view to);
  std::vector<std::string> list(std::string_view path);  // sorted, without dots

  Ref<FsContext> fs;
  Ref<Credentials> creds;

 private:
  bool mounted_ = false;
  size_t live_objects_;
};

std::string read_all(File& file, uint64_t offset = 0);
Result<size_t> write_at(File& file, std::string_view bytes, uint64_t offset);

template <class T>
Errno error_of(const Result<T>& r) {
  return r ? Errno{} : r.error();
}

}  // namespace runsc::fs::testing
