"""Text files without a mark: their encoding is detected by the letters of the languages."""

# ruff: noqa: RUF001 - letters of many scripts are meant
from __future__ import annotations

import pytest

from agent.files.text_encoding import decoded, looks_like_text

UNICODE = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32")
WESTERN = ("cp1252", "iso8859_15", "mac_roman", "cp850")
CENTRAL = ("cp1250", "iso8859_2")

TEXTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "German": ("Größe;Preis\n", WESTERN),
    "German, a letter": (
        "Sehr geehrte Damen und Herren, die Rechnung liegt bei. Grüße aus Köln, Straße 5, 20 °C\n",
        ("cp1252", "mac_roman", "cp850"),
    ),
    "French": (
        "Référence;Libellé;Prix\n1;Café crème « à la carte » – été;3,50 €\n",
        ("cp1252", "mac_roman"),
    ),
    "Spanish": ("Año;Descripción\n2024;¿Cuánto cuesta el niño?\n", WESTERN),
    "Portuguese": ("Descrição;Preço\nPão;3\nAção;5\n", WESTERN),
    "Swedish": ("Räksmörgås på ön\n", WESTERN),
    "Icelandic": ("Það er gott að sjá þig, Þórður\n", ("cp1252",)),
    "English with quotes": ("He said “no” – it’s 5 € a piece…\n", ("cp1252",)),
    "one letter": ("ü", ("cp1252",)),
    "signs alone": ("100 € – 20 °C\n", ("cp1252",)),
    "Polish": ("Nazwa;Ilość;Cena\nŻółta łódź;3;12,50 zł\nŚwieża gęś, źdźbło i ćma\n", CENTRAL),
    "Czech": ("Příliš žluťoučký kůň úpěl ďábelské ódy. Dobrý den, zasílám fakturu.\n", CENTRAL),
    "Hungarian": ("Árvíztűrő tükörfúrógép. Tisztelt Uram, kérem küldje el a számlát.\n", CENTRAL),
    "Romanian": ("Şi Ioana merge la Bucureşti, ţară frumoasă\n", ("cp1250",)),
    "Turkish": (
        "Sayın yetkili, faturayı İstanbul şubesine gönderdik. Teşekkürler, iyi çalışmalar.\n",
        ("cp1254", "iso8859_9"),
    ),
    "Lithuanian": ("Ačiū už sąskaitą, ją gavome šįryt, žinoma, vėl\n", ("cp1257",)),
    "Russian": ("Название;Цена\nМолоко;80 руб.\nХлеб;45 руб.\n", ("cp1251", "koi8_r", "cp866")),
    "Russian among Latin": (
        "Order 12345;Shipped;Москва;100;200;300;Delivered 2024-01-01;John Smith\n" * 3,
        ("cp1251", "koi8_r"),
    ),
    "Ukrainian": (
        "Привіт, надішліть рахунок до п'ятниці, будь ласка. Їжак\n",
        ("cp1251", "koi8_u"),
    ),
    "Greek": ("Προϊόν;Τιμή\nΓάλα;1,20 €\n", ("cp1253",)),
    "Hebrew": ("שלום לכולם, המחיר של החלב הוא חמישה שקלים\n", ("cp1255",)),
    "Arabic": ("الاسم,السعر\nحليب,5\n", ("cp1256",)),
    "Thai": ("สินค้า,ราคา\nนม,20\n", ("cp874",)),
    "Japanese": ("商品名,価格\n牛乳,200\nパン,150\n", ("cp932", "euc_jp", "iso2022_jp")),
    "Japanese among Latin": (
        "id,name,qty,price,date\n1,牛乳,10,200,2024-01-01\n2,パン,5,150,2024-01-02\n",
        ("cp932", "iso2022_jp"),
    ),
    "Chinese": ("产品,价格\n牛奶,20\n面包,10\n", ("gbk", "gb18030")),
    "Chinese, traditional": ("產品,價格\n牛奶,20\n麵包,10\n", ("big5",)),
    "Korean": ("상품,가격\n우유,2000\n빵,1500\n", ("cp949",)),
    # Texts of a few letters.
    "French, the last letter": ("Menu du café", ("cp1252",)),
    "Czech, the last letter": ("Dobrý den, cena je 100 Kč", ("cp1250", "iso8859_2")),
    "Polish, a price": ("5 zł\n", ("cp1250", "iso8859_2")),
    "Italian, a word": ("Il processo figlio è uscito\n", ("cp1252",)),
    "Italian, capitals": ("QUESTA È LA PRIMA DEFINIZIONE\n", ("cp1252",)),
    "Spanish, a letter": ("Británico\n", ("cp1252",)),
    "Portuguese, a letter": ("Croácia\n", ("cp1252",)),
    "Danish, capitals": ("IKKE UNDERSTØTTET\n", ("cp1252",)),
    "Hungarian, a letter": ("Január\n", ("cp1250",)),
    "Latvian": ("Šūnas dzēst; pāriet uz sākumu; kļūda\n", ("cp1257",)),
    "Russian, a word": ("Выбран\n", ("cp1251", "koi8_r", "cp866")),
    "Russian, capitals": ("НАИМЕНОВАНИЕ;ЦЕНА\nМОЛОКО;80\n", ("cp1251", "cp866")),
    "Bulgarian": ("намаля\n", ("cp1251",)),
    "Greek, capitals": ("ΤΙΜΗ ΠΡΟΪΟΝΤΟΣ\n", ("cp1253",)),
    "Greek, a word": ("Τιμή\n", ("cp1253",)),
    "Hebrew, a word": ("שלום\n", ("cp1255",)),
    "Thai, a price": ("ราคา 20 บาท\n", ("cp874",)),
    "Chinese, a word": ("你好\n", ("gbk",)),
    "Japanese, a word": ("平均\n", ("cp932",)),
    "Korean among Latin": ("id,name,qty\n1,우유,10\n2,빵,5\n", ("cp949",)),
}


@pytest.mark.parametrize(
    ("text", "encoding"),
    [(text, each) for text, encodings in TEXTS.values() for each in (*encodings, *UNICODE)],
    ids=[
        f"{name}, {each}"
        for name, (_, encodings) in TEXTS.items()
        for each in (*encodings, *UNICODE)
    ],
)
def test_text_is_read_in_the_encoding_of_its_language(text: str, encoding: str) -> None:
    content = text.encode(encoding)
    assert looks_like_text(content)
    assert decoded(content) == text


def test_a_character_that_is_cut_off_is_left_out() -> None:
    assert decoded("Größe: 5 €".encode()[:-1]) == "Größe: 5 "


@pytest.mark.parametrize(
    "content",
    [b"\x00\x01\x00\x02", bytes(range(256)), b"PK\x03\x04\x00\x00\x08", b"\x00" * 64],
)
def test_bytes_that_are_not_text_have_no_encoding(content: bytes) -> None:
    assert not looks_like_text(content)
