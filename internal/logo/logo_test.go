package logo

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"testing"
	"testing/synctest"
	"time"
)

// Pictures of one pixel.
var (
	webpLossy    = unpack("UklGRiIAAABXRUJQVlA4IBYAAAAwAQCdASoBAAEADsD+JaQAA3AAAAAA")
	webpLossless = unpack("UklGRhoAAABXRUJQVlA4TA0AAAAvAAAAEAcQERGIiP4HAA==")
	webpAlpha    = unpack("UklGRkoAAABXRUJQVlA4WAoAAAAQAAAAAAAAAAAAQUxQSAwAAAARBxAR/Q9ERP8DAABWUDggGAAAABQBAJ0BKgEAAQAAAP4AAA3AAP7mtQAAAA==")
	webpAnimated = unpack("UklGRlIAAABXRUJQVlA4WAoAAAASAAAAAAAAAAAAQU5JTQYAAAD/////AABBTk1GJgAAAAAAAAAAAAAAAAAAAGQAAABWUDhMDQAAAC8AAAAQBxAREYiI/gcA")
)

func unpack(text string) []byte {
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		panic(err)
	}
	return raw
}

func encoded[I any](encode func(io.Writer, I) error, picture I) []byte {
	var out bytes.Buffer
	if err := encode(&out, picture); err != nil {
		panic(err)
	}
	return out.Bytes()
}

func asPNG(picture image.Image) []byte { return encoded(png.Encode, picture) }

func asJPEG(picture image.Image) []byte {
	return encoded(func(w io.Writer, i image.Image) error { return jpeg.Encode(w, i, nil) }, picture)
}

func asGIF(picture image.Image) []byte {
	return encoded(func(w io.Writer, i image.Image) error { return gif.Encode(w, i, nil) }, picture)
}

func filled(width, height int, c color.Color) image.Image {
	picture := image.NewNRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			picture.Set(x, y, c)
		}
	}
	return picture
}

// rendered returns the picture as it is read back.
func rendered(t *testing.T, raw []byte) image.Image {
	t.Helper()
	out, err := Render(t.Context(), raw)
	if err != nil {
		t.Fatalf("got %v", err)
	}
	if len(out) > MaxBytes {
		t.Errorf("%d bytes", len(out))
	}
	picture, err := png.Decode(bytes.NewReader(out))
	if err != nil {
		t.Fatalf("what it made is no PNG: %v", err)
	}
	return picture
}

func TestRender(t *testing.T) {
	orange := color.NRGBA{0xf0, 0x80, 0x10, 0xff}
	for _, test := range []struct {
		name          string
		raw           []byte
		width, height int
	}{
		{"PNG", asPNG(filled(64, 32, orange)), 64, 32},
		{"JPEG", asJPEG(filled(64, 32, orange)), 64, 32},
		{"lossy WebP", webpLossy, 1, 1},
		{"lossless WebP", webpLossless, 1, 1},
		{"WebP with alpha", webpAlpha, 1, 1},
		{"one pixel", asPNG(filled(1, 1, orange)), 1, 1},
		{"as it may stay", asPNG(filled(128, 128, orange)), 128, 128},
		{"a little larger", asPNG(filled(129, 128, orange)), 128, 127},
		{"the largest", asPNG(filled(1024, 1024, orange)), 128, 128},
		{"wide", asJPEG(filled(1000, 500, orange)), 128, 64},
		{"high", asJPEG(filled(500, 1000, orange)), 64, 128},
		{"a line", asPNG(filled(1024, 1, orange)), 128, 1},
		{"gray", asJPEG(image.NewGray(image.Rect(0, 0, 10, 10))), 10, 10},
		{"sixteen bits", asPNG(image.NewRGBA64(image.Rect(0, 0, 10, 10))), 10, 10},
		{"a palette", asPNG(image.NewPaletted(image.Rect(0, 0, 10, 10), color.Palette{color.Black, color.White})), 10, 10},
		{"followed by a page", append(asPNG(filled(8, 8, orange)), "<script>alert(1)</script>"...), 8, 8},
	} {
		t.Run(test.name, func(t *testing.T) {
			size := rendered(t, test.raw).Bounds().Size()
			if size != image.Pt(test.width, test.height) {
				t.Errorf("got %v, want %d, %d", size, test.width, test.height)
			}
		})
	}
}

func TestRenderKeepsColours(t *testing.T) {
	for name, want := range map[string]color.NRGBA{
		"opaque":      {0xf0, 0x80, 0x10, 0xff},
		"half":        {0xf0, 0x80, 0x10, 0x80},
		"transparent": {},
	} {
		for _, side := range []int{16, 500} {
			picture := rendered(t, asPNG(filled(side, side, want)))
			got := color.NRGBAModel.Convert(picture.At(8, 8)).(color.NRGBA)
			for i, pair := range [][2]uint8{{got.R, want.R}, {got.G, want.G}, {got.B, want.B}, {got.A, want.A}} {
				if d := int(pair[0]) - int(pair[1]); d < -2 || d > 2 {
					t.Errorf("%s, %d pixels: channel %d is %d, want %d", name, side, i, pair[0], pair[1])
				}
			}
		}
	}
}

func TestRenderRefuses(t *testing.T) {
	small := filled(8, 8, color.Black)
	whole := asPNG(small)
	for _, test := range []struct {
		name string
		raw  []byte
		want error
	}{
		{"nothing", nil, errFormat},
		{"SVG", []byte(`<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`), errFormat},
		{"SVG with a declaration", []byte(`<?xml version="1.0"?><svg/>`), errFormat},
		{"HTML", []byte("<!doctype html><script>alert(1)</script>"), errFormat},
		{"HTML before a PNG", append([]byte("<html>"), whole...), errFormat},
		{"GIF", asGIF(small), errFormat},
		{"BMP", append([]byte("BM"), make([]byte, 100)...), errFormat},
		{"ICO", append([]byte{0, 0, 1, 0}, whole...), errFormat},
		{"AVIF", []byte("\x00\x00\x00\x1cftypavif"), errFormat},
		{"AVI", []byte("RIFF\x04\x00\x00\x00AVI "), errFormat},
		{"PDF", []byte("%PDF-1.7"), errFormat},
		{"the beginning of PNG alone", whole[:8], errBroken},
		{"an SVG that begins as PNG", append(whole[:8:8], "<svg/>"...), errBroken},
		{"half a PNG", whole[:len(whole)-20], errBroken},
		{"half a JPEG", asJPEG(small)[:300], errBroken},
		{"half a WebP", webpLossy[:30], errBroken},
		{"a WebP of the header alone", webpLossy[:12], errBroken},
		{"an animated WebP", webpAnimated, errBroken},
		{"no width", sized(t, whole, 0, 8), errBroken},
		{"too wide", asPNG(filled(1025, 1, color.Black)), errSides},
		{"too high", asJPEG(filled(1, 1025, color.Black)), errSides},
		{"a bomb", sized(t, whole, 60_000, 60_000), errSides},
		{"a JPEG bomb", bytes.Replace(asJPEG(small), []byte{8, 0, 8, 0, 8, 3}, []byte{8, 0xff, 0xff, 0xff, 0xff, 3}, 1), errSides},
		{"a WebP bomb", bytes.Replace(webpAlpha, []byte{0, 0, 0, 0, 0, 0, 'A'}, []byte{0xff, 0x7f, 0, 0xff, 0x7f, 0, 'A'}, 1), errSides},
		{"too many scans", manyScans(maxScans + 1), errScans},
		{"too many bytes", append(whole, make([]byte, MaxBytes)...), errSize},
	} {
		t.Run(test.name, func(t *testing.T) {
			if out, err := Render(t.Context(), test.raw); !errors.Is(err, test.want) || out != nil {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
	rendered(t, manyScans(maxScans))
}

// sized is the PNG with other sides in its header.
func sized(t *testing.T, raw []byte, width, height uint32) []byte {
	t.Helper()
	header := bytes.Clone(raw[:33]) // signature, length, IHDR, 13 bytes, sum
	binary.BigEndian.PutUint32(header[16:], width)
	binary.BigEndian.PutUint32(header[20:], height)
	binary.BigEndian.PutUint32(header[29:], crc32.ChecksumIEEE(header[12:29]))
	return append(header, raw[33:]...)
}

// manyScans is a progressive JPEG of one component, whose scans say that nothing changes in
// any of its blocks: 12 bytes each.
func manyScans(n int) []byte {
	raw := []byte{0xff, 0xd8, 0xff, 0xdb, 0, 67, 0}
	raw = append(raw, bytes.Repeat([]byte{1}, 64)...)
	raw = append(raw, 0xff, 0xc2, 0, 11, 8, 4, 0, 4, 0, 1, 1, 0x11, 0)
	for _, table := range [][2]byte{{0x00, 0x00}, {0x10, 0xe0}} {
		raw = append(raw, 0xff, 0xc4, 0, 20, table[0], 1)
		raw = append(raw, make([]byte, 15)...)
		raw = append(raw, table[1])
	}
	raw = append(raw, 0xff, 0xda, 0, 8, 1, 1, 0, 0, 0, 0)
	raw = append(raw, make([]byte, 2048)...)
	for range n - 1 {
		raw = append(raw, 0xff, 0xda, 0, 8, 1, 1, 0, 1, 63, 0, 0, 0)
	}
	return append(raw, 0xff, 0xd9)
}

func TestRenderLeavesMetadataBehind(t *testing.T) {
	const secret = "50.8503N 4.3517E"
	chunk := func(kind string) []byte {
		body := append([]byte(kind), "Comment\x00"+secret...)
		out := binary.BigEndian.AppendUint32(nil, uint32(len(body)-4))
		return binary.BigEndian.AppendUint32(append(out, body...), crc32.ChecksumIEEE(body))
	}
	whole, photo := asPNG(filled(8, 8, color.White)), asJPEG(filled(8, 8, color.White))
	exif := append([]byte{0xff, 0xe1, 0, byte(8 + len(secret))}, "Exif\x00\x00"+secret...)
	for name, raw := range map[string][]byte{
		"tEXt": bytes.Join([][]byte{whole[:33], chunk("tEXt"), whole[33:]}, nil),
		"eXIf": bytes.Join([][]byte{whole[:33], chunk("eXIf"), whole[33:]}, nil),
		"EXIF": bytes.Join([][]byte{photo[:2], exif, photo[2:]}, nil),
	} {
		out, err := Render(t.Context(), raw)
		if !bytes.Contains(raw, []byte(secret)) || err != nil || bytes.Contains(out, []byte(secret)) {
			t.Errorf("%s: kept, or %v", name, err)
		}
	}
}

func TestFaultOfADecoderIsAnError(t *testing.T) {
	faulty := format{"x", png.DecodeConfig, func(io.Reader) (image.Image, error) { panic("index out of range") }, nil}
	if out, err := faulty.render(t.Context(), asPNG(filled(1, 1, color.Black))); !errors.Is(err, errBroken) || out != nil {
		t.Errorf("got %v", err)
	}
	if len(decoders) != 0 {
		t.Error("its place is not free")
	}
}

func TestPicturesAtOnceAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		defer func(outside chan struct{}) { decoders = outside }(decoders)
		decoders = make(chan struct{}, cap(decoders))
		open, raw := make(chan struct{}), asPNG(filled(1, 1, color.Black))
		slow := format{"", png.DecodeConfig, func(r io.Reader) (image.Image, error) { <-open; return png.Decode(r) }, nil}
		results := make(chan error)
		for range cap(decoders) {
			go func() {
				_, err := slow.render(t.Context(), raw)
				results <- err
			}()
		}
		synctest.Wait()
		impatient, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := Render(impatient, raw); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("one more: got %v", err)
		}
		close(open)
		for range cap(decoders) {
			if err := <-results; err != nil {
				t.Error(err)
			}
		}
		if _, err := Render(t.Context(), raw); err != nil {
			t.Errorf("afterwards: got %v", err)
		}
	})
}

func FuzzRender(f *testing.F) {
	small := filled(8, 8, color.NRGBA{0xf0, 0x80, 0x10, 0x80})
	for _, seed := range [][]byte{
		asPNG(small), asJPEG(small), asGIF(small), webpLossy, webpLossless, webpAlpha, webpAnimated, manyScans(2),
		[]byte("<svg/>"), asPNG(image.NewPaletted(image.Rect(0, 0, 3, 3), color.Palette{color.Black, color.White})),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		out, err := Render(t.Context(), raw)
		if err != nil {
			return
		}
		config, err := png.DecodeConfig(bytes.NewReader(out))
		if err != nil || len(out) > MaxBytes || config.Width < 1 || config.Width > Side || config.Height < 1 || config.Height > Side {
			t.Errorf("made %d bytes, %d × %d: %v", len(out), config.Width, config.Height, err)
		}
	})
}
