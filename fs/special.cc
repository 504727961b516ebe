#include "fs/special.h"

#include "fs/pipe/pipe.h"

namespace runsc::fs {

namespace {

constinit std::atomic<SpecialOpen> char_device_opener{nullptr};

struct FifoPipe final : InodeAttachment {
  explicit FifoPipe(Ref<Pipe> p) : pipe(std::move(p)) {}
  Ref<Pipe> pipe;
};

Result<Ref<File>> open_named_pipe(Inode& inode, uint32_t flags) {
  Ref<InodeAttachment> here = inode.attachment(AttachmentKind::special);
  if (!here) {
    Ref<Pipe> pipe = TRY(Pipe::create());
    Ref<FifoPipe> fresh = make_ref<FifoPipe>(std::move(pipe));
    if (!fresh) return Errno::nomem;
    here = inode.attach(AttachmentKind::special, std::move(fresh));
  }
  // Only this function attaches to FIFOs.
  return open_fifo(static_cast<FifoPipe&>(*here).pipe, flags, Ref<Inode>(inode));
}

}  // namespace

void set_char_device_opener(SpecialOpen open) { char_device_opener.store(open, std::memory_order_release); }

Result<Ref<File>> open_special(Inode& inode, uint32_t flags) {
  if (inode.type() == kFifo) return open_named_pipe(inode, flags);
  if (inode.type() == kCharDev) {
    SpecialOpen open = char_device_opener.load(std::memory_order_acquire);
    if (!open) return Errno::nxio;
    Attr attr = TRY(inode.get_attr());
    return open(Ref<Inode>(inode), attr, flags);
  }
  return Errno::nxio;
}

}  // namespace runsc::fs
