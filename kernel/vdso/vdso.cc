#include "kernel/vdso/vdso.h"

#include <algorithm>
#include <span>

#include "kernel/late.h"
#include "kernel/time/clock.h"
#include "kernel/vdso/vvar.h"
#include "mm/phys.h"

// The image, linked in as bytes (vdso_image.S).
extern "C" {
extern const std::byte vdso_image_start[];
extern const std::byte vdso_image_end[];
}

namespace runsc::kernel {

namespace {

constexpr size_t kMaxPages = 8;
constexpr uint32_t kMapPrivate = 2, kMapFixed = 0x10;

class VdsoPages final : public mm::Mappable {
 public:
  // Lives as long as the sentry.
  void ref_mappable() override {}
  void unref_mappable() override {}
  Result<mm::MappedPage> get_page(uint64_t offset, bool) override {
    uint64_t n = offset / mm::kPageSize;
    if (n >= count_) return Errno::nxio;
    mm::get_page(*pages_[n]);
    return mm::MappedPage{mm::page_phys(*pages_[n]), pages_[n]};
  }
  void describe(TextSink& out) const override { out.write("[vdso]"); }
  uint64_t device() const override { return 0; }
  uint64_t inode_number() const override { return 0; }

  Result<void> load(std::span<const std::byte> image) {
    size_t image_pages = (image.size() + mm::kPageSize - 1) / mm::kPageSize;
    if (image_pages + 1 > kMaxPages) return Errno::nomem;
    for (size_t i = 0; i < image_pages + 1; ++i) {
      pages_[i] = TRY(mm::alloc_page(mm::Zero::yes));
      ++count_;
    }
    for (size_t i = 0; i < image_pages; ++i) {
      size_t n = std::min<size_t>(mm::kPageSize, image.size() - i * mm::kPageSize);
      __builtin_memcpy(mm::page_data(*pages_[i + 1]), image.data() + i * mm::kPageSize, n);
    }
    clock_publish_to(new (mm::page_data(*pages_[0])) VvarData{});
    return {};
  }
  size_t pages() const { return count_; }

 private:
  mm::Page* pages_[kMaxPages] = {};
  size_t count_ = 0;
};

constinit Late<VdsoPages> g_pages{};

}  // namespace

Result<void> vdso_init() {
  return g_pages.init().load({vdso_image_start, static_cast<size_t>(vdso_image_end - vdso_image_start)});
}

Result<uint64_t> vdso_map(mm::AddressSpace& space) {
  size_t pages = g_pages->pages();
  if (pages < 2) return uint64_t{0};
  uint64_t size = pages * mm::kPageSize;
  mm::MmapRequest room;
  room.size = size;
  room.prot = mm::Prot::none;
  room.flags = kMapPrivate | 0x20;
  uint64_t at = TRY(space.mmap(std::move(room), {}));
  mm::MmapRequest data;
  data.address = at;
  data.size = mm::kPageSize;
  data.prot = data.max_prot = mm::Prot::read;
  data.flags = kMapPrivate | kMapFixed;
  data.file = mm::MappableRef(*g_pages);
  TRY(space.mmap(std::move(data), {}));
  TRY(space.name_mapping(at, at + mm::kPageSize, "[vvar]"));
  mm::MmapRequest code;
  code.address = at + mm::kPageSize;
  code.size = size - mm::kPageSize;
  code.prot = code.max_prot = mm::Prot::read | mm::Prot::exec;
  code.flags = kMapPrivate | kMapFixed;
  code.file = mm::MappableRef(*g_pages);
  code.offset = mm::kPageSize;
  TRY(space.mmap(std::move(code), {}));
  TRY(space.name_mapping(at + mm::kPageSize, at + size, "[vdso]"));
  return at + mm::kPageSize;
}

}  // namespace runsc::kernel
