package main

import (
	"bytes"
	"debug/pe"
	"encoding/binary"
)

// Where the one section of a forwarder lies in memory, and so what its addresses count from; and how much of a
// file each part takes.
const (
	sectionAt = 0x1000
	fileAlign = 0x200
)

// An exportDirectory is IMAGE_EXPORT_DIRECTORY.
type exportDirectory struct {
	Characteristics, TimeDateStamp       uint32
	MajorVersion, MinorVersion           uint16
	Name, Base                           uint32
	Functions, Names                     uint32 // how many
	FunctionsAt, NamesAt, NameOrdinalsAt uint32
	FunctionAt, NameAt                   uint32 // the only elements of the first two tables
	NameOrdinal                          uint16
}

// forwarder is a library for 64-bit x86 with one function, which is another library's ("library.function").
func forwarder(name, function, target string) ([]byte, error) {
	d := exportDirectory{Base: 1, Functions: 1, Names: 1}
	tables := uint32(sectionAt + binary.Size(d) - 10)
	d.FunctionsAt, d.NamesAt, d.NameOrdinalsAt = tables, tables+4, tables+8
	d.Name = tables + 10
	d.NameAt = d.Name + uint32(len(name)) + 1
	d.FunctionAt = d.NameAt + uint32(len(function)) + 1 // inside the directory's section: a name, not code
	var section bytes.Buffer
	if err := binary.Write(&section, binary.LittleEndian, d); err != nil {
		return nil, err
	}
	for _, text := range []string{name, function, target} {
		section.WriteString(text + "\x00")
	}
	return image(section.Bytes())
}

// image is the file of a library that consists of a section with its exports.
func image(section []byte) ([]byte, error) {
	size := uint32(len(section))
	file := pe.FileHeader{
		Machine: pe.IMAGE_FILE_MACHINE_AMD64, NumberOfSections: 1, SizeOfOptionalHeader: uint16(binary.Size(pe.OptionalHeader64{})),
		Characteristics: pe.IMAGE_FILE_EXECUTABLE_IMAGE | pe.IMAGE_FILE_LARGE_ADDRESS_AWARE | pe.IMAGE_FILE_DLL,
	}
	opt := pe.OptionalHeader64{
		Magic: 0x20b, ImageBase: 0x180000000, SectionAlignment: sectionAt, FileAlignment: fileAlign,
		MajorOperatingSystemVersion: 6, MajorSubsystemVersion: 6, SizeOfInitializedData: fileAlign,
		SizeOfImage: 2 * sectionAt, SizeOfHeaders: fileAlign, Subsystem: pe.IMAGE_SUBSYSTEM_WINDOWS_CUI, NumberOfRvaAndSizes: 16,
	}
	opt.DataDirectory[pe.IMAGE_DIRECTORY_ENTRY_EXPORT] = pe.DataDirectory{VirtualAddress: sectionAt, Size: size}
	head := pe.SectionHeader32{
		Name: [8]uint8{'.', 'e', 'd', 'a', 't', 'a'}, VirtualSize: size, VirtualAddress: sectionAt,
		SizeOfRawData: fileAlign, PointerToRawData: fileAlign, Characteristics: pe.IMAGE_SCN_CNT_INITIALIZED_DATA | pe.IMAGE_SCN_MEM_READ,
	}
	dos := make([]byte, 64)
	copy(dos, "MZ")
	dos[60] = byte(len(dos)) // where the rest of the heads begins
	var b bytes.Buffer
	for _, part := range []any{dos, []byte("PE\x00\x00"), file, opt, head} {
		if err := binary.Write(&b, binary.LittleEndian, part); err != nil {
			return nil, err
		}
	}
	b.Write(make([]byte, fileAlign-b.Len()))
	b.Write(section)
	b.Write(make([]byte, 2*fileAlign-b.Len()))
	return b.Bytes(), nil
}
