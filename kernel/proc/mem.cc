// /proc/PID/mem: the memory of a process by its addresses (proc(5)).
#include <algorithm>

#include "kernel/proc/proc.h"

namespace runsc::kernel::proc {

namespace {

constexpr size_t kPiece = 1024;
constexpr int kSeekSet = 0, kSeekCur = 1;

// Of the program that ran when it was opened: of a later one, or of none, there is nothing to read.
class MemFile final : public fs::File {
 public:
  MemFile(uint32_t flags, Ref<fs::Inode> node, Ref<Task> task)
      : File(flags, std::move(node)), task_(std::move(task)), program_(task_->group().exec_count.load()) {}

  bool seekable() const override { return true; }
  Result<uint64_t> seek(int64_t offset, int whence, uint64_t current) override {
    if (whence == kSeekSet) return static_cast<uint64_t>(offset);
    if (whence == kSeekCur) return current + static_cast<uint64_t>(offset);
    return Errno::inval;
  }

  Result<size_t> read(mm::IoBuf& buf, uint64_t offset) override {
    return move(buf, offset,
                [&](mm::AddressSpace& space, uint64_t at, std::span<std::byte> piece) -> Result<size_t> {
                  size_t n = TRY(space.read_remote(at, piece));
                  return buf.put(piece.data(), n);
                });
  }
  Result<size_t> write(mm::IoBuf& buf, uint64_t offset) override {
    return move(buf, offset,
                [&](mm::AddressSpace& space, uint64_t at, std::span<std::byte> piece) -> Result<size_t> {
                  size_t n = TRY(buf.peek(piece.data(), piece.size()));
                  size_t done = TRY(space.write_remote(at, piece.first(n)));
                  buf.advance(done);
                  return done;
                });
  }

 private:
  template <class F>
  Result<size_t> move(mm::IoBuf& buf, uint64_t offset, F&& piece_by_piece) {
    Ref<mm::AddressSpace> space = task_->mm_ref();
    if (!space || task_->group().exec_count.load() != program_) return size_t{0};
    std::byte piece[kPiece];
    size_t done = 0;
    while (buf.remaining() > 0) {
      const auto want = static_cast<size_t>(std::min<uint64_t>(kPiece, buf.remaining()));
      auto n = piece_by_piece(*space, offset + done, {piece, want});
      if (!n && done == 0) return n.error();
      if (n) done += *n;
      if (!n || *n < want) break;
    }
    return done;
  }

  const Ref<Task> task_;
  const int32_t program_;
};

class MemNode final : public fs::PseudoInode {
 public:
  MemNode(fs::PseudoSuper& super, Ref<Task> task)
      : PseudoInode(super, fs::kRegular | 0600), task_(std::move(task)) {
    if (Ref<fs::Credentials> c = task_->creds_ref()) set_owner(c->euid, c->egid);
  }
  Result<Ref<fs::File>> open(uint32_t flags) override {
    if (!may_inspect(*task_)) return Errno::acces;
    Ref<fs::File> file = make_ref<MemFile>(flags, Ref<fs::Inode>(*this), task_);
    if (!file) return Errno::nomem;
    return file;
  }

 private:
  const Ref<Task> task_;
};

}  // namespace

Result<Ref<fs::Inode>> make_mem_node(fs::PseudoSuper& super, Ref<Task> task) {
  Ref<fs::Inode> node = make_ref<MemNode>(super, std::move(task));
  if (!node) return Errno::nomem;
  return node;
}

}  // namespace runsc::kernel::proc
