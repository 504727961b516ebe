#include "fs/tmpfs/tmpfs_dir.h"

namespace runsc::fs {

namespace {

constexpr uint64_t kTmpfsMagic = 0x01021994;

// A number with k, m, g or % after it (of all memory).
Result<uint64_t> parse_size(std::string_view text) {
  uint64_t n = 0;
  size_t i = 0;
  for (; i < text.size() && text[i] >= '0' && text[i] <= '9'; ++i) {
    if (n > ~uint64_t{0} / 16) return Errno::inval;
    n = n * 10 + static_cast<uint64_t>(text[i] - '0');
  }
  if (i == 0) return Errno::inval;
  std::string_view unit = text.substr(i);
  if (unit.empty()) return n;
  unsigned shift;
  switch (unit.size() == 1 ? unit[0] : '?') {
    case 'k':
    case 'K':
      shift = 10;
      break;
    case 'm':
    case 'M':
      shift = 20;
      break;
    case 'g':
    case 'G':
      shift = 30;
      break;
    case '%':
      return mm::phys_stats().total_pages * mm::kPageSize / 100 * n;
    default:
      return Errno::inval;
  }
  if (n > ~uint64_t{0} >> shift) return Errno::inval;
  return n << shift;
}

Result<uint32_t> parse_number(std::string_view text, uint32_t base) {
  uint64_t n = 0;
  if (text.empty() || text.size() > 10) return Errno::inval;
  for (char c : text) {
    if (c < '0' || static_cast<uint32_t>(c - '0') >= base) return Errno::inval;
    n = n * base + static_cast<uint32_t>(c - '0');
  }
  if (n > ~uint32_t{0}) return Errno::inval;
  return static_cast<uint32_t>(n);
}

}  // namespace

Result<Ref<TmpfsSuper>> TmpfsSuper::create(std::string_view data) {
  Ref<TmpfsSuper> super = make_ref<TmpfsSuper>();
  if (!super) return Errno::nomem;
  NewNode root;
  root.mode = kDirectory | 01777;
  TRY(super->parse(data, root));
  super->root_ = make_ref<TmpfsDir>(*super, root);
  if (!super->root_) return Errno::nomem;
  super->root_mode_ = root.mode & 07777;
  return super;
}

Result<Ref<SuperBlock>> TmpfsSuper::mount(std::string_view, std::string_view data) {
  Ref<TmpfsSuper> super = TRY(create(data));
  return Ref<SuperBlock>(std::move(super));
}

Result<void> TmpfsSuper::parse(std::string_view data, NewNode& root) {
  while (!data.empty()) {
    std::string_view option = data.substr(0, data.find(','));
    data.remove_prefix(option.size() < data.size() ? option.size() + 1 : data.size());
    size_t equal = option.find('=');
    std::string_view name = option.substr(0, equal);
    std::string_view value = equal == std::string_view::npos ? std::string_view() : option.substr(equal + 1);
    if (name == "size") {
      uint64_t bytes = TRY(parse_size(value));
      account.limit.store(bytes == 0 ? ~uint64_t{0} : mm::page_up(bytes) / mm::kPageSize);
    } else if (name == "nr_blocks") {
      uint64_t n = TRY(parse_size(value));
      account.limit.store(n == 0 ? ~uint64_t{0} : n);
    } else if (name == "nr_inodes") {
      uint64_t n = TRY(parse_size(value));
      inode_limit_ = n == 0 ? ~uint64_t{0} : n;
    } else if (name == "mode") {
      root.mode = kDirectory | (TRY(parse_number(value, 8)) & 07777);
    } else if (name == "uid") {
      root.uid = TRY(parse_number(value, 10));
    } else if (name == "gid") {
      root.gid = TRY(parse_number(value, 10));
    } else if (name != "huge" && name != "mpol" && name != "inode32" && name != "inode64" && !name.empty() &&
               name != "rw" && name != "ro") {
      return Errno::inval;
    }
  }
  return {};
}

Ref<Inode> TmpfsSuper::root() { return root_; }

void TmpfsSuper::unmounted() { root_ = {}; }

Result<void> TmpfsSuper::charge_inode() {
  if (inodes_.fetch_add(1, std::memory_order_relaxed) < inode_limit_) return {};
  inodes_.fetch_sub(1, std::memory_order_relaxed);
  return Errno::nospc;
}

FsStat TmpfsSuper::stat_fs() {
  FsStat s;
  s.type = kTmpfsMagic;
  mm::PhysStats memory = mm::phys_stats();
  uint64_t limit = account.limit.load(std::memory_order_relaxed),
           used = account.used.load(std::memory_order_relaxed);
  s.blocks = limit == ~uint64_t{0} ? memory.total_pages : limit;
  s.free_blocks = s.blocks > used ? s.blocks - used : 0;
  if (s.free_blocks > memory.free_pages) s.free_blocks = memory.free_pages;
  s.available_blocks = s.free_blocks;
  s.files = inode_limit_ == ~uint64_t{0} ? memory.total_pages : inode_limit_;
  uint64_t inodes = inodes_.load(std::memory_order_relaxed);
  s.free_files = s.files > inodes ? s.files - inodes : 0;
  return s;
}

void TmpfsSuper::show_options(TextSink& out) const {
  uint64_t limit = account.limit.load(std::memory_order_relaxed);
  if (limit != ~uint64_t{0}) format(out, ",size={}k", limit * (mm::kPageSize / 1024));
  if (root_mode_ != 01777) format(out, ",mode={:o}", root_mode_);
}

}  // namespace runsc::fs
