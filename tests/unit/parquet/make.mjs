// SPDX-License-Identifier: GPL-3.0-or-later
// Writes the Parquet files of this folder, and texts.jsonl with the same texts, by two writers that are not ours: Apache
// Arrow's (Rust) and DuckDB's. The files are kept; the script is here to say what they are.
//   npm install parquet-wasm@0.8.0 apache-arrow@21 @duckdb/node-api && node make.mjs
import { DuckDBInstance } from "@duckdb/node-api";
import * as arrow from "apache-arrow";
import { writeFileSync } from "node:fs";
import * as parquet from "parquet-wasm/node";

const { Compression, Encoding, WriterVersion } = parquet;

// Repeated, alike at the beginning, empty, with line ends and many bytes a character, long; every seventh is missing.
function textOf(row) {
    if (row % 7 === 3) return null;
    if (row % 11 === 4) return "";
    if (row % 5 === 0) return "The same sentence once more.";
    if (row % 5 === 1) return `The beginning is the same, the end is ${row}.\nTwo lines, the second with a tab\tand “quotes”.`;
    if (row % 13 === 2) return Array.from({ length: 24 }, (_, i) => `word${(i * row) % 97}`).join(" ") + " naïve 東京 😀.";
    return `Row ${row}: ${(row * 7919) % 10007}`;
}
const rows = Array.from({ length: 40 }, (_, row) => row);
const texts = rows.map(textOf), given = texts.map((text) => text ?? "not missing");

function tableOf(values, nullable) {
    const column = (array, type) => arrow.vectorFromArray(array, type);
    const list = new arrow.List(new arrow.Field("item", new arrow.Utf8(), true));
    const pair = new arrow.Struct([ new arrow.Field("text", new arrow.Utf8(), true) ]);
    const columns = {
        id : column(rows, new arrow.Int32()),
        tags : column(rows.map((row) => (row % 3 ? [ "a", `t${row}` ] : [])), list),
        meta : column(rows.map((row) => ({ text : `inner ${row}` })), pair), // a column meta.text, which is not meant
        text : column(values, new arrow.Utf8()),
    };
    const types = Object.entries(columns).map(([ name, { type } ]) => new arrow.Field(name, type, name !== "text" || nullable));
    return new arrow.Table(new arrow.Schema(types), columns);
}

const small = () => new parquet.WriterPropertiesBuilder().setMaxRowGroupSize(16).setWriteBatchSize(4).setDataPageSizeLimit(400);

function write(name, table, change, properties = small()) {
    const bytes = parquet.writeParquet(parquet.Table.fromIPCStream(arrow.tableToIPC(table, "stream")), change(properties).build());
    writeFileSync(`${name}.parquet`, bytes);
}

const codecs = { none : "UNCOMPRESSED", snappy : "SNAPPY", gzip : "GZIP", zstd : "ZSTD" };
const encodings = { plain : "PLAIN", dictionary : null, lengths : "DELTA_LENGTH_BYTE_ARRAY", prefixes : "DELTA_BYTE_ARRAY" };
const optional = tableOf(texts, true), required = tableOf(given, false);
for (const [codec, compression] of Object.entries(codecs))
    for (const [encoding, kind] of Object.entries(encodings))
        for (const version of [ "V1", "V2" ]) {
            const change = (properties) => {
                const next = properties.setCompression(Compression[compression]).setWriterVersion(WriterVersion[version]);
                return kind ? next.setDictionaryEnabled(false).setColumnEncoding("text", Encoding[kind]) : next;
            };
            write(`optional-${codec}-${encoding}-${version}`, optional, change);
            if (codec === "snappy") write(`required-${codec}-${encoding}-${version}`, required, change);
        }
// A dictionary that grows too large is followed by plain pages.
write("optional-fallback", optional, (p) => p.setDictionaryPageSizeLimit(150).setCompression(Compression.SNAPPY));

// One page of many texts: numbers come in more than one block, indices in runs and packed.
const many = Array.from({ length: 600 }, (_, row) => (row % 100 < 40 ? "The same." : `Row ${row % 50}.`.repeat(1 + row % 3)));
const manyTable = new arrow.Table({ text : arrow.vectorFromArray(many, new arrow.Utf8()) });
for (const [encoding, kind] of Object.entries(encodings)) {
    const change = (properties) => kind ? properties.setDictionaryEnabled(false).setColumnEncoding("text", Encoding[kind]) : properties;
    write(`many-${encoding}`, manyTable, change, new parquet.WriterPropertiesBuilder().setCompression(Compression.ZSTD));
}

const refused = (name, table, codec = "SNAPPY") => write(`refused-${name}`, table, (p) => p.setCompression(Compression[codec]));
refused("brotli", optional, "BROTLI");
refused("lz4", optional, "LZ4_RAW");
refused("list", new arrow.Table({ text : arrow.vectorFromArray([ [ "a" ] ], new arrow.List(new arrow.Field("item", new arrow.Utf8(), true))) }));
refused("number", new arrow.Table({ text : arrow.vectorFromArray(rows, new arrow.Int32()) }));
refused("other", new arrow.Table({ content : arrow.vectorFromArray(given, new arrow.Utf8()), url : arrow.vectorFromArray(given, new arrow.Utf8()) }));

// WikiText as Hugging Face ships it: a row is a line, and of a blank line nothing is left.
const wiki = [ "", " = First = \n", "", " Words of it . \n", " = = Section = = \n", "", " More . \n", "", " = Second = \n", "", " Words of it . \n" ];
write("wikitext", new arrow.Table({ text : arrow.vectorFromArray(wiki, new arrow.Utf8()) }), (p) => p.setCompression(Compression.SNAPPY));

writeFileSync("texts.jsonl", texts.map((text, id) => JSON.stringify({ id, text }) + "\n").join(""));
writeFileSync("given.jsonl", given.map((text, id) => JSON.stringify({ id, text }) + "\n").join(""));

const base = await (await DuckDBInstance.create()).connect();
await base.run("create table t as select id, text, id % 2 = 0 as flag from read_json('texts.jsonl', columns = {id: 'int', text: 'varchar'}) order by id");
await base.run("set force_mbedtls_unsafe = 'true'");
await base.run("pragma add_parquet_key('key', '0123456789012345')");
for (const [name, options] of Object.entries({
         "optional-duckdb-V1" : "compression snappy",
         "optional-duckdb-V2" : "compression zstd, parquet_version v2",
         "refused-encrypted" : "encryption_config {footer_key: 'key'}",
     }))
    await base.run(`copy t to '${name}.parquet' (format parquet, ${options})`);
